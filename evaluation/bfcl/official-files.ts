import { join } from 'node:path';
import type { JsonValue } from '../../contracts/json.ts';
import { spacedJson } from '../../contracts/tool-call-text.ts';
import { answeredCalls, exactValue } from '../answered-calls.ts';
import { questionFiles, type BfclCategory } from './categories.ts';

/** An answer with what was found wrong with it. */
export interface JudgedAnswer {
  readonly id: string;
  readonly completion: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly correct: boolean;
  readonly errorType: string | null;
  readonly errors: readonly string[];
  /** The question as it is stored. */
  readonly question: JsonValue;
  /** The answer's line; null where nothing should be called. */
  readonly answer: string | null;
}

/**
 * Where BFCL's harness keeps the answers to a category and their scores, of its third version and of its fourth, which has folders for
 * groups of categories.
 */
export function resultPlaces(
  policy: string,
  category: BfclCategory,
  kind: 'result' | 'score',
): readonly string[] {
  const model = policy.replaceAll(/[^\w.@-]+/gu, '_');
  return questionFiles(category).map((questions) => {
    const name = questions.replace(/\.json$/, `_${kind}.json`);
    const group = category.startsWith('live_') ? 'live' : 'non_live';
    return questions.startsWith('BFCL_v4')
      ? join(kind, model, group, name)
      : join(kind, model, name);
  });
}

/** A line of a result file: the calls as the harness notes them, `[{name: arguments as a text of JSON}]`, or the words. */
export function resultLine(answer: JudgedAnswer): string {
  return JSON.stringify({
    id: answer.id,
    result: resultOf(answer.completion),
    input_token_count: answer.promptTokens,
    output_token_count: answer.completionTokens,
  });
}

function resultOf(completion: string): string | readonly { readonly [name: string]: string }[] {
  const calls = answeredCalls(completion);
  if (calls === null) return completion;
  return calls.map(({ name, parameters }) => ({ [name]: spacedJson(exactValue(parameters)) }));
}

/** The lines of a score file: the accuracy, then the answers that are wrong. */
export function scoreLines(
  policy: string,
  category: BfclCategory,
  answers: readonly JudgedAnswer[],
): readonly string[] {
  const wrong = answers.filter(({ correct }) => !correct);
  const correct = answers.length - wrong.length;
  const head = {
    accuracy: answers.length === 0 ? 0 : correct / answers.length,
    correct_count: correct,
    total_count: answers.length,
  };
  return [
    JSON.stringify(head),
    ...wrong.map(({ id, completion, errors, errorType, question, answer }) =>
      JSON.stringify({
        id,
        model_name: policy,
        test_category: category,
        valid: false,
        error: errors,
        error_type: errorType,
        prompt: question,
        model_result_raw: resultOf(completion),
        possible_answer: answer === null ? null : possibleAnswer(answer),
      }),
    ),
  ];
}

function possibleAnswer(line: string): JsonValue {
  return (JSON.parse(line) as { readonly ground_truth: JsonValue }).ground_truth;
}
