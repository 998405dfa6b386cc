import { sql } from 'drizzle-orm';
import { recordOutcome } from '../../../activities/record-outcome.ts';
import type { Sample } from '../../../contracts/sample.ts';
import type { Connection } from '../../../db/connection.ts';
import { commitEvaluation } from '../../../db/evaluations.ts';
import { recordEvent } from '../../../db/events.ts';
import { scratchRun, scratchSamples } from '../../unit/support/scratch-run.ts';
import { takeStep } from '../../unit/support/scratch-steps.ts';

/** What a model may write, and what must stay a text: markup that runs, and what would end the element that holds it. */
export const PLANTED =
  '<img src=x onerror="window.owned=1"></script><script>window.owned=1</script>';

const GENERATIONS = 8;

/** What an earlier turn called. */
export const EARLIER_CALL = 'earlier_call';
/** What a prompt offers beside its messages: a name with no place to break it. */
export const OFFERED_TOOL = `offered_tool_${'x'.repeat(80)}`;

/** A sample after an earlier turn with a call and its result, and with a tool on offer. */
function inConversation(sample: Sample): Sample {
  const parameters = { type: 'object', properties: { [PLANTED]: { type: 'string' } } };
  return {
    ...sample,
    messages: [
      { role: 'user', content: PLANTED },
      {
        role: 'assistant',
        content: '',
        calls: [{ name: EARLIER_CALL, parameters: { [PLANTED]: PLANTED } }],
      },
      { role: 'tool', content: PLANTED },
      ...sample.messages,
    ],
    tools: [{ name: `${OFFERED_TOOL} ${PLANTED}`, description: PLANTED, parameters }],
  };
}

/** One step more. */
export async function nextStep(connection: Connection, run: string, step: number): Promise<void> {
  await takeStep(connection, { run, epoch: 1, step }, GENERATIONS);
}

/** A run of some steps with evaluations and events; prompts, completions and whatever else is free text hold {@link PLANTED}. */
export async function shownRun(
  connection: Connection,
  run: string,
  { seed, steps }: { readonly seed: number; readonly steps: number },
): Promise<void> {
  const { db } = connection;
  await scratchRun(db, run, scratchSamples(30).map(inConversation), {
    trainBatchSize: 5,
    numGenerations: GENERATIONS,
    rolloutShardSize: 4,
    evalSchedule: 'none',
    sampling: { activationPatience: 1 },
    seed,
  });
  for (let step = 0; step <= steps; step++) {
    if (step > 0) await nextStep(connection, run, step);
    if (step % 2 === 1) continue;
    const exactMatch = 0.3 + 0.08 * step + 0.01 * seed;
    await commitEvaluation(
      db,
      { run, step, split: 'heldout', epoch: 1 },
      {
        n: 30,
        exactMatch,
        exactMatchLow: exactMatch - 0.1,
        exactMatchHigh: exactMatch + 0.1,
        reward: 1 + step / 5,
        scoreFormat: 1,
        scoreName: 0.9,
        scoreKey: 0.8,
        scoreValue: 0.7,
        evaluationSeconds: 1.5,
      },
    );
  }
  await recordOutcome({ db }, { run, state: 'paused', reason: PLANTED });
  await recordOutcome({ db }, { run, state: 'running', reason: '' });
  await recordEvent(db, run, { event: 'planted', kind: 'note', message: PLANTED });
  const call = JSON.stringify({ name: PLANTED, parameters: { [PLANTED]: PLANTED } });
  await db.execute(sql`
    update rollouts set completion = ${`<think>${PLANTED}</think>\n<tool_call>\n${call}\n</tool_call>`}
    where run = ${run} and index = 0`);
}
