import type { ValueMatch } from '../contracts/reward.ts';
import type { Sample } from '../contracts/sample.ts';
import { SAMPLES_PART } from '../contracts/suite-evaluation.ts';
import type { BfclCategory } from './bfcl/categories.ts';
import type { BfclQuestion } from './bfcl/questions.ts';
import { bfclTask, sampleTask, type InTime, type SuiteTask } from './judge.ts';

/** A question as it is stored with its evaluation. */
export interface StoredQuestion {
  /** BFCL's category, or {@link SAMPLES_PART}. */
  readonly part: string;
  readonly questionId: string;
  /** {@link BfclQuestion} or {@link Sample}, by the part. */
  readonly question: unknown;
  readonly answer: string | null;
}

/** What a stored question asks of the policy. */
export function storedTask(
  stored: StoredQuestion,
  valueMatch: ValueMatch,
  inTime: InTime,
): SuiteTask {
  const { part, question, answer } = stored;
  return part === SAMPLES_PART
    ? sampleTask(question as Sample, valueMatch)
    : bfclTask(part as BfclCategory, { question: question as BfclQuestion, answer }, inTime);
}
