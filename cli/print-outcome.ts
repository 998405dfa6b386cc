import type { ToolsampleClient } from '../client.ts';
import { chooseExample } from './example.ts';
import type { FollowedRun } from './follow-run.ts';
import { ownInvocation, suggestion } from './invocation.ts';
import {
  beforeAndAfter,
  exampleLines,
  nextCommands,
  resultTable,
  timingLine,
  type Timing,
} from './render/outcome.ts';
import type { CommandContext } from './program.ts';

export interface OutcomeOptions {
  readonly context: CommandContext;
  readonly client: Pick<ToolsampleClient, 'evaluationAnswers'>;
  readonly followed: FollowedRun;
  readonly serviceSeconds: number;
  /** From the moment the services were up. */
  readonly totalSeconds: number;
}

/** Prints what a completed run achieved, where it lies, how long it took, and what to do next. */
export async function printOutcome(options: OutcomeOptions): Promise<void> {
  const { context, client } = options;
  const { status } = options.followed;
  const { print, paint } = context.terminal;
  const [first] = beforeAndAfter(status.evaluations);
  const results = resultTable(status.evaluations, paint);
  // Nothing was held out: the empty line below is enough.
  if (results.length > 0) for (const line of ['', ...results]) print(line);
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
function timings({ followed, serviceSeconds, totalSeconds }: OutcomeOptions): Timing[] {
  const { status, steps, startSeconds } = followed;
  const firstStep = steps[0]?.step ?? Number.POSITIVE_INFINITY;
  // The first step of a resumed run may have begun long before.
  const training = Math.min(
    totalSeconds - startSeconds,
    steps.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0),
  );
  // Of several workers the seconds of all count.
  const evaluation = Math.min(
    totalSeconds - startSeconds - training,
    status.evaluations
      .filter(({ step }) => step >= firstStep - 1)
      .reduce((sum, { seconds }) => sum + seconds, 0),
  );
  return [
    { part: 'services', seconds: serviceSeconds },
    { part: 'preparation', seconds: startSeconds },
    { part: 'training', seconds: training },
    { part: 'evaluation', seconds: evaluation },
    { part: 'rest', seconds: totalSeconds - startSeconds - training - evaluation },
    { part: 'in all', seconds: serviceSeconds + totalSeconds },
  ];
}
