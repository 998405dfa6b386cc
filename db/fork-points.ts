import { and, asc, eq, sql } from 'drizzle-orm';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ForkPoint } from '../contracts/fork.ts';
import { shellWord } from '../contracts/shell-word.ts';
import { bestPolicyOf } from './best-policy.ts';
import { committedStep, findCheckpoint } from './checkpoints.ts';
import type { Database } from './connection.ts';
import type { RunRow } from './runs.ts';
import { checkpoints } from './schema/policies.ts';

/** Steps that a message lists. */
const LISTED = 16;

/**
 * The step after which a fork of a run begins.
 *
 * @throws ToolsampleError `not-found` when the run has not come there, or its policy of that step is no longer kept; `config` when it
 *   never comes there
 */
export async function findForkPoint(db: Database, run: RunRow, at: ForkPoint): Promise<number> {
  const reached = await committedStep(db, run.run);
  const step = await stepOf(db, run, at, reached);
  if (step > reached) {
    throw new ToolsampleError(
      'not-found',
      `run "${run.run}" has not come to ${pointText(at, step)}: it is after step ${reached} of ${run.totalSteps}`,
      { hint: `go on with it (toolsample resume ${shellWord(run.run)}), or fork it where it is` },
    );
  }
  await requireKept(db, run, step);
  return step;
}

/**
 * To be called again once {@link import('./artifact-references.ts').lockArtifactReferences} is held.
 *
 * @throws ToolsampleError `not-found` when the policy after that step is not kept, with those that are
 */
export async function requireKept(db: Database, run: RunRow, step: number): Promise<void> {
  if (step === 0) {
    const { warmStartSlices: slice } = run;
    if ((await findCheckpoint(db, { run: run.run, step, slice })) !== null) return;
    throw new ToolsampleError('not-found', `run "${run.run}" has not ended its cold start`, {
      hint: `go on with it: toolsample resume ${shellWord(run.run)}`,
    });
  }
  const kept = await keptSteps(db, run);
  if (kept.includes(step)) return;
  const shown = kept.slice(-LISTED).join(', ');
  throw new ToolsampleError(
    'not-found',
    `the policy of run "${run.run}" after step ${step} was deleted to save space (save_total_limit, save_epochs)`,
    { hint: `kept are those after the steps ${kept.length > LISTED ? `…, ${shown}` : shown}` },
  );
}

async function stepOf(
  db: Database,
  { run, epochs, stepsPerEpoch, totalSteps }: RunRow,
  at: ForkPoint,
  reached: number,
): Promise<number> {
  if (at === 'newest') return reached;
  if (at === 'best') return (await bestPolicyOf(db, run)).step;
  if ('epoch' in at) {
    if (at.epoch <= epochs) return Math.min(at.epoch * stepsPerEpoch, totalSteps);
    throw new ToolsampleError('config', `run "${run}" has ${epochs} epochs, no epoch ${at.epoch}`, {
      hint: `write ${run}@${epochs} for the last one, ${run}@0 for the state before the first step`,
    });
  }
  if (at.step <= totalSteps) return at.step;
  throw new ToolsampleError('config', `run "${run}" has ${totalSteps} steps, no step ${at.step}`, {
    hint: `write ${run} for the newest`,
  });
}

/** Steps after which the policy is kept, 0 among them once the cold start has ended. */
async function keptSteps(db: Database, { run, warmStartSlices }: RunRow): Promise<number[]> {
  const rows = await db
    .select({ step: checkpoints.step })
    .from(checkpoints)
    .where(
      and(
        eq(checkpoints.run, run),
        eq(checkpoints.pruned, false),
        sql`(${checkpoints.step} > 0 or ${checkpoints.slice} = ${warmStartSlices})`,
      ),
    )
    .orderBy(asc(checkpoints.step));
  return rows.map(({ step }) => step);
}

function pointText(at: ForkPoint, step: number): string {
  return typeof at === 'object' && 'epoch' in at
    ? `the end of epoch ${at.epoch} (step ${step})`
    : `step ${step}`;
}
