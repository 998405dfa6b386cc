import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { EvaluationAsked, EvaluationReport } from '../contracts/suite-evaluation.ts';
import { POLICY_EVALUATION } from '../contracts/temporal.ts';
import { jsonSha256 } from '../db/canonical-json.ts';
import type { Database } from '../db/connection.ts';
import { readRun } from '../db/runs.ts';
import { findSuiteEvaluation, requireSameEvaluation } from '../db/suite-evaluations.ts';
import { evaluationReport } from './evaluation-report.ts';
import { checkedEvaluation, type EvaluationInput } from '../evaluation/checked-input.ts';
import { requireNewName } from '../services/new-name.ts';
import { cancelWorkflow, workflowEnded } from './workflow-end.ts';
import { requireIdFor } from './workflow-ids.ts';

export interface StartEvaluationOptions extends EvaluationInput {
  /** Id of the evaluation. Default: made of what is asked, so that the same again goes on. */
  readonly evaluation?: string | undefined;
}

/** Starts and reads evaluations of policies on suites: BFCL, or files of samples. */
export interface PolicyEvaluations {
  /**
   * Starts an evaluation; one of that id that is under way is left alone, one that failed, was stopped or lost goes on.
   *
   * @throws ToolsampleError `config` or `not-found` when what is asked is wrong, or the id belongs to an evaluation of another thing,
   *   a run or an experiment
   */
  startEvaluation(
    options: StartEvaluationOptions,
  ): Promise<{ readonly evaluation: string; readonly completed: boolean }>;
  /** What an evaluation has come to so far. @throws ToolsampleError `not-found` */
  evaluationReport(evaluation: string): Promise<EvaluationReport>;
  /** Waits for the end of the evaluation's workflow. @throws ToolsampleError when it did not complete */
  evaluationEnded(evaluation: string): Promise<void>;
  /** Ends what is under way; the same start goes on. @throws ToolsampleError `config` when the id is not that of an evaluation */
  stopEvaluation(evaluation: string): Promise<void>;
}

export function policyEvaluations(
  { workflow }: Pick<Client, 'workflow'>,
  db: Database,
  { home, taskQueue }: { readonly home: string; readonly taskQueue: string },
): PolicyEvaluations {
  return {
    async startEvaluation({ evaluation: named, ...input }) {
      const checked = await checkedEvaluation(input);
      const asked: EvaluationAsked = {
        ...checked,
        ...(await chosenPolicy(db, checked.policy, checked.policyName)),
      };
      const evaluation = named ?? `eval-${asked.suite}-${jsonSha256(asked).slice(0, 12)}`;
      const known = await findSuiteEvaluation(db, evaluation);
      if (known === null) requireNewName('evaluation', evaluation);
      else requireSameEvaluation(known, asked);
      if (known?.state === 'completed') return { evaluation, completed: true };
      await requireIdFor(POLICY_EVALUATION, evaluation, { workflow, db });
      try {
        await workflow.start(POLICY_EVALUATION, {
          workflowId: evaluation,
          taskQueue,
          args: [asked],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'USE_EXISTING',
          staticSummary: `${asked.suite} on ${asked.policyName}`,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
      return { evaluation, completed: false };
    },
    evaluationReport: async (evaluation) => evaluationReport(db, home, evaluation),
    evaluationEnded: async (evaluation) => workflowEnded(workflow.getHandle(evaluation)),
    stopEvaluation: async (evaluation) =>
      cancelWorkflow(POLICY_EVALUATION, workflow.getHandle(evaluation)),
  };
}

/** Which step of a run is meant, now: the run may go on, and the same evaluation must not. */
async function chosenPolicy(
  db: Database,
  policy: EvaluationInput['policy'],
  name: string,
): Promise<Pick<EvaluationAsked, 'policy' | 'policyName'>> {
  if (typeof policy === 'string') return { policy, policyName: name };
  const { run, epoch } = policy;
  // Loaded only here: it knows checkpoints.
  const { pointOf } = await import('./run-policy.ts');
  const { step } = await pointOf(db, await readRun(db, run), epoch);
  return { policy: { run, step }, policyName: `${run}@step-${step}` };
}
