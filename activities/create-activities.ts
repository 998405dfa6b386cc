import type { AcceleratorActivities, LightActivities } from '../contracts/activities.ts';
import { changeSettings } from './change-settings.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { evaluatePolicy } from './evaluate-policy.ts';
import { evaluateSuiteShard } from './evaluate-suite-shard.ts';
import { evaluateShard } from './evaluate-shard.ts';
import { exportPolicy } from './export-policy.ts';
import { failingClearly } from './failure.ts';
import { filterGroups } from './filter-groups.ts';
import { finishEvaluation } from './finish-evaluation.ts';
import { gradientShard } from './gradient-shard.ts';
import { gradientStep } from './gradient-step.ts';
import { whileBeating } from './heartbeat.ts';
import { prepareEvaluation } from './prepare-evaluation.ts';
import { prepareExperiment } from './prepare-experiment.ts';
import { prepareRun } from './prepare-run.ts';
import { recordEvaluation } from './record-evaluation.ts';
import { recordExperiment } from './record-experiment.ts';
import { recordRequest } from './record-request.ts';
import { recordOutcome } from './record-outcome.ts';
import { rollout } from './rollout.ts';
import { scoreRewards } from './score-rewards.ts';
import { selectBatch } from './select-batch.ts';
import { updateCurriculum } from './update-curriculum.ts';
import { warmStart } from './warm-start.ts';

/** What the worker knows of its server. */
export interface ServerFacts {
  /** The server knows our search attributes. */
  readonly searchAttributes: boolean;
}

/** Activities of the task queue `<queue>`. */
export function lightActivities(
  deps: ActivityDependencies,
  { searchAttributes }: ServerFacts,
): LightActivities {
  return {
    prepareRun: activity(async (input) => ({
      ...(await prepareRun(deps, input)),
      searchAttributes,
    })),
    selectBatch: activity((key) => selectBatch(deps, key)),
    scoreRewards: activity((key) => scoreRewards(deps, key)),
    filterGroups: activity((key) => filterGroups(deps, key)),
    updateCurriculum: activity((key) => updateCurriculum(deps, key)),
    recordOutcome: activity((input) => recordOutcome(deps, input)),
    recordRequest: activity((input) => recordRequest(deps, input)),
    changeSettings: activity((input) => changeSettings(deps, input)),
    prepareEvaluation: activity((input) => prepareEvaluation(deps, input)),
    finishEvaluation: activity((input) => finishEvaluation(deps, input)),
    recordEvaluation: activity((input) => recordEvaluation(deps, input)),
    prepareExperiment: activity((input) => prepareExperiment(deps, input)),
    recordExperiment: activity((input) => recordExperiment(deps, input)),
  };
}

/** Activities of the task queue `<queue>-gpu`. */
export function acceleratorActivities(deps: ActivityDependencies): AcceleratorActivities {
  return {
    warmStart: activity((key) => warmStart(deps, key)),
    rollout: activity((key) => rollout(deps, key)),
    gradientShard: activity((key) => gradientShard(deps, key)),
    gradientStep: activity((key) => gradientStep(deps, key)),
    evaluateShard: activity((key) => evaluateShard(deps, key)),
    evaluatePolicy: activity((key) => evaluatePolicy(deps, key)),
    exportPolicy: activity((key) => exportPolicy(deps, key)),
    evaluateSuiteShard: activity((key) => evaluateSuiteShard(deps, key)),
  };
}

/** Every activity beats while its process is alive, and fails in a way that the workflow can act on. */
function activity<I, O>(body: (input: I) => Promise<O>): (input: I) => Promise<O> {
  return (input) => failingClearly(() => whileBeating(() => body(input)));
}
