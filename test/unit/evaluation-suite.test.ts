import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../contracts/json.ts';
import type { AggregateScore } from '../../contracts/suite-evaluation.ts';
import { aggregateScores, type CategoryScore } from '../../evaluation/bfcl/aggregate.ts';
import {
  BFCL_CATEGORIES,
  questionFiles,
  type BfclCategory,
} from '../../evaluation/bfcl/categories.ts';
import { resultLine, scoreLines, type JudgedAnswer } from '../../evaluation/bfcl/official-files.ts';
import { readQuestions, type AnsweredQuestion } from '../../evaluation/bfcl/questions.ts';
import { offeredFunctions } from '../../evaluation/bfcl/tools.ts';
import { checkedEvaluation, readAsked } from '../../evaluation/checked-input.ts';
import { bfclTask, type InTime } from '../../evaluation/judge.ts';
import { createTimeLimit, withinLimit } from '../../policy/text/time-limit.ts';
import { packageData } from './support/bfcl-package.ts';

/** A Python with bfcl-eval; see evaluation-bfcl-parity.test.ts. */
const PYTHON = process.env['TOOLSAMPLE_BFCL_PYTHON'];
const FIXTURES = fileURLToPath(new URL('../fixtures/bfcl', import.meta.url));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-suite-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function rows<T>(file: string): T[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as T);
}

async function questions(category: BfclCategory, file: string): Promise<AnsweredQuestion[]> {
  const read: AnsweredQuestion[] = [];
  for await (const question of readQuestions(category, file)) read.push(question);
  return read;
}

/** A completion that draws a matrix, which is told as JavaScript. */
const drawing = (value: string): string =>
  `<think>a</think>\n<tool_call>\n{"name": "draw", "parameters": {"matrix": ${JSON.stringify(value)}}}\n</tool_call>`;

const atOnce: InTime = (work) => work();

/** A completion that books a room for so many hours. */
function booking(hours: string): string {
  return `<think>a</think>\n<tool_call>\n{"name": "library_book_room", "parameters": {"room": "reading room", "hours": ${hours}}}\n</tool_call>`;
}

/** A line as JavaScript writes it. */
function asWritten(line: string): string {
  return JSON.stringify(JSON.parse(line));
}

/** What is offered for the questions of a folder, in the form of `tools.py`. */
function offered(at: string): string[] {
  const files = BFCL_CATEGORIES.flatMap((category) =>
    questionFiles(category).map((name) => ({ category, path: join(at, name), name })),
  );
  return files
    .filter(({ path }) => existsSync(path))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ category, path }) =>
      rows<{ id: string; function: JsonObject[] }>(path).map(({ id, function: functions }) =>
        JSON.stringify({ id, tools: offeredFunctions(functions, category) }),
      ),
    );
}

function score(category: BfclCategory, correct: number, total = 100): CategoryScore {
  return { category, correct, total };
}

function of(
  scores: readonly CategoryScore[],
  which: string,
  limit: number | null = null,
): AggregateScore | undefined {
  return aggregateScores(scores, limit).find(({ version, name }) => `${version} ${name}` === which);
}

function answer(id: string, completion: string, correct: boolean): JudgedAnswer {
  return {
    id,
    completion,
    promptTokens: 10,
    completionTokens: 5,
    correct,
    errorType: correct ? null : 'ast_decoder:decoder_failed',
    errors: correct ? [] : ['no'],
    question: { id },
    answer: '{"id": "a", "ground_truth": [{"f": {"x": [1]}}]}',
  };
}

describe("BFCL's questions", () => {
  it('offer functions as the official harness does, to the order of the fields', () => {
    const official = readFileSync(join(FIXTURES, 'tools.jsonl'), 'utf8').trimEnd().split('\n');
    expect(offered(FIXTURES)).toEqual(official.map(asWritten));
    expect(official.length).toBeGreaterThan(10);
  });

  it.skipIf(PYTHON === undefined)(
    "do so in the package's own data, live ones too (needs TOOLSAMPLE_BFCL_PYTHON)",
    async () => {
      const data = packageData(PYTHON ?? '');
      const official = execFileSync(PYTHON ?? '', [join(FIXTURES, 'tools.py'), data], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      });
      expect(offered(data)).toEqual(official.trimEnd().split('\n').map(asWritten));
      for (const category of BFCL_CATEGORIES) {
        const read = await questions(category, join(data, `BFCL_v4_${category}.json`));
        expect(read.length, category).toBeGreaterThan(10);
      }
    },
    120_000,
  );

  it('are judged from the text of the completion, floats by their point', async () => {
    const file = join(FIXTURES, 'BFCL_v4_simple_python.json');
    const [first] = await questions('simple_python', file);
    if (first === undefined) throw new Error('no question');
    const { judge, prompt } = bfclTask('simple_python', first, atOnce);
    expect(prompt.tools?.[0]?.name).toBe('library_book_room');
    expect(judge(booking('3'))).toMatchObject({ correct: true, errorType: null });
    expect(judge(booking('3.0'))).toMatchObject({
      correct: false,
      errorType: 'type_error:simple',
    });
    expect(judge('I would rather not')).toMatchObject({
      correct: false,
      errorType: 'ast_decoder:decoder_failed',
    });
  });

  it('end the reading of an answer that could be read in endless ways', () => {
    const matrix = { type: 'array', description: 'rows' };
    const functions = [
      {
        name: 'draw',
        description: 'draws',
        parameters: { type: 'dict', properties: { matrix }, required: ['matrix'] },
      },
    ];
    const question = {
      id: 'simple_javascript_0',
      messages: [{ role: 'user', content: 'Draw.' } as const],
      functions,
    };
    const answer = '{"id": "simple_javascript_0", "ground_truth": [{"draw": {"matrix": [[[1]]]}}]}';
    const limit = createTimeLimit();
    const { judge } = bfclTask('simple_javascript', { question, answer }, (work) =>
      withinLimit(limit, 200, work),
    );
    expect(judge(drawing('[[1]]'))).toMatchObject({ correct: true });
    expect(judge(drawing(`[[1]${', [1, 2]'.repeat(60)}`))).toMatchObject({
      correct: false,
      errorType: 'answer_takes_too_long',
    });
  });

  it('without an answer, or of several turns, are refused with file and row', async () => {
    const at = join(folder, 'bad');
    await mkdir(join(at, 'possible_answer'), { recursive: true });
    const file = join(at, 'BFCL_v4_multiple.json');
    const row = rows<JsonObject>(join(FIXTURES, 'BFCL_v4_multiple.json'))[0];
    await writeFile(file, `${JSON.stringify({ ...row, id: 'multiple_9' })}\n`);
    await writeFile(
      join(at, 'possible_answer/BFCL_v4_multiple.json'),
      '{"id": "multiple_0", "ground_truth": []}\n',
    );
    const read = async (): Promise<unknown> => questions('multiple', file);
    await expect(read()).rejects.toThrow(/multiple\.json, row 1, field "id".*has no answer/);
    await writeFile(file, `${JSON.stringify({ ...row, question: [[], []] })}\n`);
    await expect(read()).rejects.toThrow(/row 1, field "question": is not one turn/);
  });
});

describe('the leaderboard’s means', () => {
  const nonLive = [
    score('simple_python', 90),
    score('simple_java', 60),
    score('simple_javascript', 30),
    score('multiple', 80),
    score('parallel', 40),
    score('parallel_multiple', 20),
  ];

  it('follow the rules of both versions', () => {
    const all = [
      ...nonLive,
      score('irrelevance', 70),
      score('live_simple', 129, 258),
      score('live_multiple', 0, 1053),
      score('live_parallel', 16, 16),
      score('live_parallel_multiple', 0, 24),
      score('live_irrelevance', 442, 884),
      score('live_relevance', 16, 16),
    ];
    // Simple is the mean of its three languages: 60.
    expect(of(all, 'v3 non-live')?.accuracy).toBeCloseTo((60 + 80 + 40 + 20 + 70) / 500, 12);
    expect(of(all, 'v4 non-live')?.accuracy).toBeCloseTo((60 + 80 + 40 + 20) / 400, 12);
    const v3Live = (129 + 16 + 442 + 16) / (258 + 1053 + 16 + 24 + 884 + 16);
    const v4Live = (129 + 16) / (258 + 1053 + 16 + 24);
    expect(of(all, 'v3 live')?.accuracy).toBeCloseTo(v3Live, 12);
    expect(of(all, 'v4 live')?.accuracy).toBeCloseTo(v4Live, 12);
    expect(of(all, 'v4 irrelevance')?.accuracy).toBeCloseTo((0.7 + 0.5) / 2, 12);
    expect(of(all, 'v3 overall')).toMatchObject({ notRun: ['multi_turn'] });
    expect(of(all, 'v3 overall')?.accuracy).toBeCloseTo((0.54 + v3Live) / 3, 12);
    expect(of(all, 'v4 overall')).toMatchObject({ notRun: ['multi_turn', 'agentic'] });
    expect(of(all, 'v4 overall')?.accuracy).toBeCloseTo((0.5 + v4Live + 0.6) / 10, 12);
  });

  it('count what was not run as 0, and name it', () => {
    expect(of(nonLive.slice(1), 'v4 non-live')).toMatchObject({
      accuracy: (0.3 + 0.8 + 0.4 + 0.2) / 4,
      notRun: ['simple_python'],
    });
    expect(of(nonLive, 'v3 live')).toMatchObject({ accuracy: 0, notRun: ['live'] });
    const some = of([score('live_simple', 129, 258)], 'v4 live');
    expect(some?.accuracy).toBeCloseTo(129 / (258 + 1053 + 16 + 24), 12);
    expect(some?.notRun).toEqual(['live_multiple', 'live_parallel', 'live_parallel_multiple']);
  });

  it('weigh live categories by all their questions, also where a part was asked', () => {
    const all = of([score('live_simple', 258, 258)], 'v4 live');
    expect(of([score('live_simple', 10, 10)], 'v4 live', 10)?.accuracy).toBe(all?.accuracy);
    // Without a limit a category has the questions that its file has: as the official harness counts.
    const cut = [score('live_simple', 20, 20), score('live_parallel', 0, 16)];
    expect(of(cut, 'v4 live', 20)?.accuracy).toBeCloseTo(258 / (258 + 1053 + 16 + 24), 12);
    expect(of(cut, 'v4 live')?.accuracy).toBeCloseTo(20 / (20 + 1053 + 16 + 24), 12);
  });
});

it('result and score files have the lines of the official harness', () => {
  const call = answer(
    'a',
    '<think></think>\n<tool_call>\n{"name": "f", "parameters": {"x": 1.0, "y": "é"}}\n</tool_call>',
    true,
  );
  expect(JSON.parse(resultLine(call))).toEqual({
    id: 'a',
    result: [{ f: '{"x": 1.0, "y": "é"}' }],
    input_token_count: 10,
    output_token_count: 5,
  });
  const words = answer('b', 'none', false);
  const [head, ...wrong] = scoreLines('p', 'simple_python', [call, words]).map(
    (line) => JSON.parse(line) as unknown,
  );
  expect(head).toEqual({ accuracy: 0.5, correct_count: 1, total_count: 2 });
  expect(wrong).toMatchObject([
    { id: 'b', valid: false, model_result_raw: 'none', possible_answer: [{ f: { x: [1] } }] },
  ]);
});

describe('what is asked for', () => {
  const bfcl = { policy: 'builtin', suite: 'bfcl', data: FIXTURES };

  it('has the categories whose files are there, in order', async () => {
    const { categories } = await checkedEvaluation(bfcl);
    expect(categories).toEqual([
      'simple_python',
      'simple_java',
      'simple_javascript',
      'multiple',
      'parallel',
      'parallel_multiple',
    ]);
    await expect(checkedEvaluation({ ...bfcl, categories: ['parallel'] })).resolves.toMatchObject({
      categories: ['parallel'],
    });
  });

  it.each([
    [{ ...bfcl, categories: ['simple'] }, /--categories.*"simple" is no category/],
    [{ ...bfcl, categories: ['live_simple'] }, /no file of the category "live_simple"/],
    [{ ...bfcl, data: undefined }, /--data.*is missing/],
    [{ policy: 'builtin', suite: '/none.json' }, /none\.json: does not exist/],
    [{ policy: '/none', suite: 'bfcl', data: FIXTURES }, /\/none: no such folder/],
  ])('is refused with a reason: %#', async (input, reason) => {
    await expect(checkedEvaluation(input)).rejects.toThrow(reason);
  });

  it('is checked again where another client started the workflow', async () => {
    const asked = await checkedEvaluation(bfcl);
    expect(readAsked(asked)).toEqual(asked);
    expect(() => readAsked({ ...asked, shardSize: 0 })).toThrow(/shardSize/);
    expect(() => readAsked({ ...asked, categories: ['all'] })).toThrow(/categories/);
  });
});
