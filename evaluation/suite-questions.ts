import { setImmediate } from 'node:timers/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { SAMPLES_PART, type EvaluationAsked } from '../contracts/suite-evaluation.ts';
import { badRowLimit } from '../datasets/bad-rows.ts';
import { isRejected, readSamples } from '../datasets/dataset.ts';
import { BFCL_CATEGORIES } from './bfcl/categories.ts';
import { categoriesIn, readQuestions } from './bfcl/questions.ts';
import type { StoredQuestion } from './stored-task.ts';

/** A question and its place within its part, from 0. */
type OrderedQuestion = StoredQuestion & { readonly ordinal: number };

export interface SuiteQuestions {
  readonly questions: AsyncIterable<OrderedQuestion>;
  /** Rows left out so far. */
  badRows(): number;
}

/** Questions between two turns of the event loop: heartbeats have to get through. */
const BREATH = 64;

/**
 * The questions of an evaluation, part by part, streamed.
 * @throws ToolsampleError `dataset` or `not-found`, while they are read
 */
export function suiteQuestions(
  asked: Pick<EvaluationAsked, 'suite' | 'data' | 'categories' | 'limit' | 'maxBadRows'>,
): SuiteQuestions {
  let badRows = 0;
  const all = asked.suite === 'bfcl' ? bfcl(asked) : samples(asked, () => badRows++);
  return { questions: breathing(all), badRows: () => badRows };
}

async function* bfcl({
  data,
  categories,
  limit,
}: Pick<EvaluationAsked, 'data' | 'categories' | 'limit'>): AsyncGenerator<OrderedQuestion> {
  const files = await categoriesIn(data);
  for (const category of BFCL_CATEGORIES.filter((each) => categories.includes(each))) {
    const file = files.get(category);
    if (file === undefined) {
      throw new ToolsampleError('not-found', `has no file of the category "${category}"`, {
        at: { file: data },
        hint: 'leave the category out, or add its file',
      });
    }
    let ordinal = 0;
    for await (const { question, answer } of readQuestions(category, file)) {
      if (limit !== null && ordinal >= limit) break;
      yield { part: category, ordinal: ordinal++, questionId: question.id, question, answer };
    }
  }
}

async function* samples(
  { data, limit, maxBadRows }: Pick<EvaluationAsked, 'data' | 'limit' | 'maxBadRows'>,
  onBadRow: () => void,
): AsyncGenerator<OrderedQuestion> {
  const allow = badRowLimit(maxBadRows);
  let ordinal = 0;
  for await (const item of readSamples(data)) {
    if (isRejected(item)) {
      allow(item);
      onBadRow();
      continue;
    }
    if (limit !== null && ordinal >= limit) return;
    const { id: questionId } = item;
    yield { part: SAMPLES_PART, ordinal: ordinal++, questionId, question: item, answer: null };
  }
}

async function* breathing<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  let taken = 0;
  for await (const item of items) {
    if (++taken % BREATH === 0) await setImmediate();
    yield item;
  }
}
