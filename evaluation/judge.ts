import type { ValueMatch } from '../contracts/reward.ts';
import type { PerSubTask } from '../contracts/reward.ts';
import type { Prompt, Sample } from '../contracts/sample.ts';
import { isFault } from '../datasets/formats/fields.ts';
import { readTools } from '../datasets/formats/tool-definitions.ts';
import { scoreCompletion } from '../dscl/reward.ts';
import { answeredCalls } from './answered-calls.ts';
import { checkBfcl } from './bfcl/check.ts';
import type { BfclCategory } from './bfcl/categories.ts';
import { groundTruth, type AnsweredQuestion } from './bfcl/questions.ts';
import { offeredFunctions } from './bfcl/tools.ts';

/** What is asked of a policy, and how its answer is judged. */
export interface SuiteTask {
  readonly prompt: Prompt;
  /** @param completion its text; untrusted */
  readonly judge: (completion: string) => Judgement;
}

export interface Judgement {
  /** Right by BFCL's rules, or an exact match. */
  readonly correct: boolean;
  /** BFCL's name of the error; null where it is right, and for samples. */
  readonly errorType: string | null;
  readonly errors: readonly string[];
  /** Null for BFCL. */
  readonly reward: number | null;
  readonly scores: PerSubTask | null;
}

/** Runs what reads an answer, and ends it after a time: null then. BFCL's patterns try all ways to read some answers. */
export type InTime = <T>(work: () => T) => T | null;

/** The kind of error of an answer that takes too long to read. */
const ENDLESS = 'answer_takes_too_long';

/** A question of BFCL, shown as the official harness shows it to a server of OpenAI's interface, judged by BFCL's rules. */
export function bfclTask(
  category: BfclCategory,
  { question, answer }: AnsweredQuestion,
  inTime: InTime,
): SuiteTask {
  const { functions, messages } = question;
  const tools = readTools(offeredFunctions(functions, category), 'function');
  if (isFault(tools)) throw new Error(`${question.id}: ${tools.reason}`);
  const answers = answer === null ? null : groundTruth(answer);
  return {
    // As the harness: where nothing is offered, nothing is said of tools.
    prompt: { messages, ...(tools.value.length === 0 ? {} : { tools: tools.value }) },
    judge: (completion) => {
      const calls = answeredCalls(completion)?.map(({ name, parameters }) => ({
        name,
        arguments: parameters,
      }));
      const verdict = inTime(() =>
        checkBfcl({
          category,
          functions,
          calls: calls ?? null,
          answers,
          underscoredNames: true,
        }),
      );
      const { valid, errorType, errors } = verdict ?? {
        valid: false,
        errorType: ENDLESS,
        errors: ['its values cannot be read in time'],
      };
      return { correct: valid, errorType, errors, reward: null, scores: null };
    },
  };
}

/** A sample of any data set, judged by our reward. */
export function sampleTask(sample: Sample, valueMatch: ValueMatch): SuiteTask {
  return {
    prompt: sample,
    judge: (completion) => {
      const scored = scoreCompletion({ completion, groundTruth: sample, valueMatch });
      const { exactMatch: correct, reward, scores } = scored;
      return { correct, errorType: null, errors: [], reward, scores };
    },
  };
}

/** The kind of error of what was never asked, right or wrong: the prompt leaves no room for an answer. */
export const TOO_LONG = 'prompt_too_long';
