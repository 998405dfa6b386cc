import type { ToolsampleClient } from '../client.ts';
import type { EvaluationReport } from '../contracts/suite-evaluation.ts';
import type { ExitCode } from './failure.ts';
import { followWorkflow } from './follow-workflow.ts';
import type { CommandContext } from './program.ts';
import { count, duration, percent } from './render/text.ts';
import { workflowAddress } from './serve-run.ts';

export interface FollowEvaluationOptions {
  readonly context: CommandContext;
  readonly client: ToolsampleClient;
  readonly evaluation: string;
}

/** Between two lines that tell how far it is. */
const PATIENCE = 15_000;

/** Serves an evaluation with a worker of our own and tells how far it is until it ends, or until the user stops it. */
export async function followEvaluation({
  context,
  client,
  evaluation,
}: FollowEvaluationOptions): Promise<ExitCode> {
  const address = workflowAddress(client, evaluation);
  if (address !== null) context.terminal.note(`Temporal UI  ${address}`);
  const begin = Date.now();
  let lastTold = begin;
  let before: number | null = null;
  return followWorkflow({
    context,
    client,
    goOn: 'the same command goes on',
    stop: async () => client.stopEvaluation(evaluation),
    ended: async () => client.evaluationEnded(evaluation),
    look: async () => {
      const report = await client.evaluationReport(evaluation);
      const answered = sum(report, 'answered');
      before ??= answered;
      if (Date.now() - lastTold < PATIENCE || answered === before) return;
      context.terminal.note(progressLine(report, before, (Date.now() - begin) / 1000));
      lastTold = Date.now();
    },
  });
}

function progressLine(report: EvaluationReport, before: number, seconds: number): string {
  const answered = sum(report, 'answered');
  const questions = sum(report, 'questions');
  const left = ((questions - answered) * seconds) / (answered - before);
  const share = percent(sum(report, 'correct') / answered);
  return `${count(answered)} of ${count(questions)} answered, ${share} right so far, ${duration(left)} left`;
}

function sum({ parts }: EvaluationReport, field: 'questions' | 'answered' | 'correct'): number {
  return parts.reduce((total, part) => total + part[field], 0);
}
