import { and, asc, eq, isNotNull } from 'drizzle-orm';
import { UNIT_WEIGHTS } from '../contracts/curriculum.ts';
import { cutText } from '../contracts/cut-text.ts';
import type { GroupSummary } from '../contracts/dashboard.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PerSubTask } from '../contracts/reward.ts';
import { lastRequest, type Sample } from '../contracts/sample.ts';
import type { Database } from './connection.ts';
import { toSample } from './corpora.ts';
import { findLearningState } from './curriculum.ts';
import { samples } from './schema/corpora.ts';
import { groups, rollouts } from './schema/rollouts.ts';
import type { RolloutRow } from './rollouts.ts';
import { steps } from './schema/steps.ts';

/** Characters of a request in a list. */
const LONGEST_REQUEST = 160;

/** The groups of a step that were rolled out, in the order of the draw, without their completions. */
export async function stepGroups(db: Database, run: string, step: number): Promise<GroupSummary[]> {
  const rows = await db
    .select({ group: groups, sample: samples })
    .from(groups)
    .innerJoin(
      samples,
      and(eq(samples.corpus, groups.corpus), eq(samples.sampleId, groups.sampleId)),
    )
    .where(and(eq(groups.run, run), eq(groups.step, step), isNotNull(groups.round)))
    .orderBy(asc(groups.rank));
  return rows.map(({ group, sample }) => toSummary(group, toSample(sample)));
}

/** A group of a step with its completions. */
export interface StepGroup {
  readonly summary: GroupSummary;
  readonly sample: Sample;
  /** In their order; empty while they are being sampled. */
  readonly completions: readonly RolloutRow[];
  /** The weights that scored the step. */
  readonly weights: PerSubTask;
}

/** @throws ToolsampleError `not-found` */
export async function stepGroup(
  db: Database,
  run: string,
  step: number,
  rank: number,
): Promise<StepGroup> {
  const [row] = await db
    .select({ group: groups, sample: samples, version: steps.curriculumVersion })
    .from(groups)
    .innerJoin(
      samples,
      and(eq(samples.corpus, groups.corpus), eq(samples.sampleId, groups.sampleId)),
    )
    .innerJoin(steps, and(eq(steps.run, groups.run), eq(steps.step, groups.step)))
    .where(
      and(
        eq(groups.run, run),
        eq(groups.step, step),
        eq(groups.rank, rank),
        isNotNull(groups.round),
      ),
    );
  if (row === undefined) {
    throw new ToolsampleError('not-found', `run ${run} has no group ${rank} in step ${step}`);
  }
  const completions = await db
    .select()
    .from(rollouts)
    .where(and(eq(rollouts.run, run), eq(rollouts.step, step), eq(rollouts.rank, rank)))
    .orderBy(asc(rollouts.index));
  const state = await findLearningState(db, run, row.version);
  const sample = toSample(row.sample);
  return {
    summary: toSummary(row.group, sample),
    sample,
    completions,
    weights: state?.curriculum.weights ?? UNIT_WEIGHTS,
  };
}

function toSummary(group: typeof groups.$inferSelect, sample: Sample): GroupSummary {
  return {
    rank: group.rank,
    sampleId: group.sampleId,
    level: sample.level,
    category: group.drawnCategory,
    importance: group.drawnImportance,
    state: group.state === 'reserved' ? 'drawn' : group.state,
    dropReason: group.dropReason,
    round: group.round ?? 0,
    reward: group.reward,
    rewardStd: group.rewardStd,
    exactMatch: group.exactMatch,
    request: cutText(lastRequest(sample.messages), LONGEST_REQUEST),
  };
}
