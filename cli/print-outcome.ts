import type { ToolsampleClient } from '../client.ts';
import type { RunStatus, StepStatus } from '../contracts/run-status.ts';
import { chooseExample } from './example.ts';
import { ownInvocation, suggestion } from './invocation.ts';
import {
  beforeAndAfter,
  exampleLines,
  nextCommands,
  resultTable,
  timingLine,
} from './render/outcome.ts';
import type { CommandContext } from './program.ts';

export interface OutcomeOptions {
  readonly context: CommandContext;
  readonly client: Pick<ToolsampleClient, 'evaluationAnswers'>;
  readonly status: RunStatus;
  /** Steps that were made while we watched. */
  readonly steps: readonly StepStatus[];
  readonly serviceSeconds: number;
  /** From the moment the services were up. */
  readonly totalSeconds: number;
}

/** Prints what a completed run achieved, where it lies, how long it took, and what to do next. */
export async function printOutcome(options: OutcomeOptions): Promise<void> {
  const { context, client, status } = options;
  const { print, paint } = context.terminal;
  const [first] = beforeAndAfter(status.evaluations);
  print('');
  for (const line of resultTable(status.evaluations, paint)) print(line);
  if (first !== undefined) {
    const { split, before, after } = first;
    const [was, is] = await Promise.all([
      client.evaluationAnswers(status.run, { step: before.step, split }),
      client.evaluationAnswers(status.run, { step: after.step, split }),
    ]);
    const example = chooseExample(split, was, is);
    if (example !== null) for (const line of ['', ...exampleLines(example, paint)]) print(line);
  }
  print('');
  if (status.policyFolder !== null) print(`Policy: ${status.policyFolder}`);
  print(timingLine(timings(options)));
  print('');
  print('Next:');
  for (const command of nextCommands(status))
    print(`  ${suggestion(ownInvocation(), context.home, command)}`);
}

/** Only what happened while we watched: a resumed run's earlier parts took their time elsewhere. */
function timings({
  status,
  steps,
  serviceSeconds,
  totalSeconds,
}: OutcomeOptions): { part: string; seconds: number }[] {
  const firstStep = steps[0]?.step ?? Number.POSITIVE_INFINITY;
  const training = steps.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0);
  const evaluation = status.evaluations
    .filter(({ step }) => step >= firstStep - 1)
    .reduce((sum, { seconds }) => sum + seconds, 0);
  return [
    { part: 'services', seconds: serviceSeconds },
    { part: 'training', seconds: training },
    { part: 'evaluation', seconds: evaluation },
    { part: 'start and export', seconds: Math.max(0, totalSeconds - training - evaluation) },
    { part: 'in all', seconds: serviceSeconds + totalSeconds },
  ];
}
