import {
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  EvaluationAsked,
  EvaluationPlan,
  SuiteShardKey,
} from '../contracts/suite-evaluation.ts';
import { acceleratorActivities, lightActivities } from './activity-options.ts';
import { endOfRun } from './end-of-run.ts';

export interface EvaluationEnd {
  readonly evaluation: string;
  /** Of the results as files; null where none are written. */
  readonly folder: string | null;
}

/** Shards that are scheduled at once: several workers share them, and the history stays short. */
const LANES = 4;

/**
 * An evaluation of a policy on a suite: prepare, answer the questions in shards, write the results. Its id is the evaluation's id.
 * Started again under the same id after a failure, a stop or a loss, it goes on with the shards that are not committed.
 */
export async function policyEvaluation(asked: EvaluationAsked): Promise<EvaluationEnd> {
  const evaluation = workflowInfo().workflowId;
  try {
    const light = lightActivities();
    const plan = await light.prepareEvaluation.executeWithOptions(
      { summary: 'prepare: policy and questions', heartbeatTimeout: '1 minute' },
      [{ evaluation, asked }],
    );
    await answerShards(evaluation, plan, asked);
    const { folder } = await light.finishEvaluation.executeWithOptions(
      { summary: 'write the results' },
      [{ evaluation }],
    );
    return { evaluation, folder };
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const cancelled = CancellationScope.current().consideredCancelled;
    const { state, reason, failure } = endOfRun(error, cancelled ? 'server' : null);
    await CancellationScope.nonCancellable(() =>
      lightActivities().recordEvaluation.executeWithOptions({ summary: `record: ${state}` }, [
        { evaluation, state, reason },
      ]),
    ).catch(
      // The reason must reach the user even when Postgres is the reason.
      () => undefined,
    );
    throw failure;
  }
}

/** Continues as new where the history grows long: what is committed is not asked again. */
async function answerShards(
  evaluation: string,
  plan: EvaluationPlan,
  asked: EvaluationAsked,
): Promise<void> {
  const waiting = openShards(evaluation, plan);
  const answered = new Map(
    plan.parts.map(({ part, done }) => [part, { shards: done.length, correct: 0, asked: 0 }]),
  );
  const show = (): void => setCurrentDetails(partTable(plan, answered));
  show();
  const answerOneAfterAnother = async (): Promise<void> => {
    while (waiting.length > 0 && !workflowInfo().continueAsNewSuggested) {
      const key = waiting.shift();
      if (key === undefined) return;
      const { part, shard } = key;
      const shards = plan.parts.find((each) => each.part === part)?.shards ?? 0;
      const summary = `${part}: shard ${shard + 1} of ${shards}`;
      const result = await acceleratorActivities().evaluateSuiteShard.executeWithOptions(
        { summary },
        [key],
      );
      const so = answered.get(part) ?? { shards: 0, correct: 0, asked: 0 };
      answered.set(part, {
        shards: so.shards + 1,
        correct: so.correct + result.correct,
        asked: so.asked + result.answered,
      });
      show();
    }
  };
  // All of them: what is being cancelled has to end before it is recorded.
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, answerOneAfterAnother));
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  if (waiting.length > 0) await continueAsNew<typeof policyEvaluation>(asked);
}

function openShards(evaluation: string, plan: EvaluationPlan): SuiteShardKey[] {
  return plan.parts.flatMap(({ part, shards, done }) => {
    const committed = new Set(done);
    return Array.from({ length: shards }, (_, shard) => ({ evaluation, part, shard })).filter(
      ({ shard }) => !committed.has(shard),
    );
  });
}

interface Answered {
  readonly shards: number;
  readonly correct: number;
  readonly asked: number;
}

/** How far each part is, and how it does since this execution began. */
function partTable(plan: EvaluationPlan, answered: ReadonlyMap<string, Answered>): string {
  const rows = plan.parts.map(({ part, shards, questions }) => {
    const so = answered.get(part);
    const correct = so === undefined || so.asked === 0 ? '' : `${so.correct} of ${so.asked}`;
    return `| ${part} | ${questions} | ${so?.shards ?? 0} of ${shards} | ${correct} |`;
  });
  return [
    `**${plan.policy}**`,
    '',
    '| part | questions | shards | correct |',
    '|---|--:|--:|--:|',
    ...rows,
  ].join('\n');
}
