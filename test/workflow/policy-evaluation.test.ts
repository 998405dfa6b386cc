import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { builtinEvaluation } from '../../datasets/builtin/corpus.ts';
import { connect } from '../../db/connection.ts';
import type { StartEvaluationOptions } from '../../client/run-evaluations.ts';
import { createServedHome, type ServedHome, type WorkerChild } from '../chaos/toolsample-home.ts';

const MINUTE = 60_000;
const FIXTURES = fileURLToPath(new URL('../fixtures/bfcl', import.meta.url));
const POLICY = fileURLToPath(new URL('../../assets/policy', import.meta.url));
const SAMPLES = 60;

let home: ServedHome;
let worker: WorkerChild;
let bfcl: StartEvaluationOptions;
let file: StartEvaluationOptions;

beforeAll(async () => {
  home = await createServedHome('evaluation');
  bfcl = await bfclInput();
  file = { policy: 'builtin', suite: join(home.path, 'samples.json'), shardSize: 4, threads: 1 };
  const tasks = builtinEvaluation({ seed: 3, size: SAMPLES, split: 'heldout' });
  const rows = [...tasks].map(({ messages, groundTruth }) => ({
    prompt: messages,
    reward_model: { style: 'rule', ground_truth: groundTruth },
  }));
  await writeFile(file.suite, JSON.stringify(rows));
  worker = home.startWorker();
}, 2 * MINUTE);

afterAll(async () => {
  await home.remove();
}, MINUTE);

/** The shipped policy with another context. */
async function policyWith(max_position_embeddings: number, name: string): Promise<string> {
  const policy = join(home.path, name);
  await cp(POLICY, policy, { recursive: true });
  const config = JSON.parse(await readFile(join(policy, 'config.json'), 'utf8')) as object;
  await writeFile(
    join(policy, 'config.json'),
    JSON.stringify({ ...config, max_position_embeddings }),
  );
  return policy;
}

/** A policy with room for BFCL's prompts, and the made-up questions with some to which nothing fits. */
async function bfclInput(): Promise<StartEvaluationOptions> {
  const policy = await policyWith(1024, 'long-policy');
  const data = join(home.path, 'bfcl');
  await mkdir(data);
  await cp(FIXTURES, data, { recursive: true });
  const python = await readFile(join(FIXTURES, 'BFCL_v4_simple_python.json'), 'utf8');
  await writeFile(
    join(data, 'BFCL_v4_irrelevance.json'),
    python.replaceAll('"simple_python_', '"irrelevance_'),
  );
  return {
    policy,
    suite: 'bfcl',
    data,
    categories: ['multiple', 'irrelevance'],
    maxCompletionLength: 24,
    shardSize: 2,
    threads: 1,
  };
}

async function complete(options: StartEvaluationOptions) {
  const { evaluation } = await home.toolsample.startEvaluation(options);
  await home.toolsample.evaluationEnded(evaluation);
  return home.toolsample.evaluationReport(evaluation);
}

/** All that was answered and judged, without the evaluation's own id. */
async function answers(evaluation: string): Promise<unknown[]> {
  const connection = connect(home.toolsample.services.databaseUrl);
  try {
    const { rows } = await connection.pool.query(
      `select part, ordinal, completion, completion_tokens, correct, error_type, reward, score_value
       from suite_answers where evaluation = $1 order by part, ordinal`,
      [evaluation],
    );
    return rows;
  } finally {
    await connection.close();
  }
}

describe('an evaluation on a suite', () => {
  it(
    'gives the same answers stopped and killed as undisturbed; the same start goes on, and then only tells',
    async () => {
      const { toolsample } = home;
      const calm = await complete({ ...file, evaluation: 'calm' });
      const { evaluation, completed } = await toolsample.startEvaluation(file);
      expect(completed).toBe(false);
      const answered = async (): Promise<number> =>
        (await toolsample.evaluationReport(evaluation).catch(() => null))?.parts[0]?.answered ?? 0;
      const isUnderWay = async (more: number): Promise<unknown> =>
        vi.waitUntil(async () => (await answered()) > more, { timeout: MINUTE, interval: 20 });
      await isUnderWay(0);
      await toolsample.stopEvaluation(evaluation);
      await expect(toolsample.evaluationEnded(evaluation)).rejects.toThrow();
      expect(await toolsample.evaluationReport(evaluation)).toMatchObject({ state: 'stopped' });
      const stopped = await answered();
      expect(stopped).toBeLessThan(SAMPLES);

      expect(await toolsample.startEvaluation(file)).toEqual({ evaluation, completed: false });
      await isUnderWay(stopped);
      await worker.kill();
      expect(await answered()).toBeLessThan(SAMPLES);
      worker = home.startWorker();
      await toolsample.evaluationEnded(evaluation);
      expect(await toolsample.startEvaluation(file)).toEqual({ evaluation, completed: true });
      const report = await toolsample.evaluationReport(evaluation);
      expect(await answers(evaluation)).toEqual(await answers('calm'));
      const [part] = report.parts;
      expect(part).toMatchObject({ ...calm.parts[0], seconds: expect.any(Number) as number });
      expect(part).toMatchObject({ part: 'samples', questions: SAMPLES, answered: SAMPLES });
      // The shipped policy is right on two fifths of them.
      expect(part?.accuracy).toBeGreaterThan(0.2);
      expect(part?.accuracy).toBeLessThan(0.7);
      expect(part?.scores?.format).toBeGreaterThan(0.9);
      expect(report).toMatchObject({ state: 'completed', aggregates: [], folder: null });
    },
    3 * MINUTE,
  );

  it(
    "on BFCL leaves files in its layout, with its means; what else the id's evaluation asks is refused",
    async () => {
      const report = await complete({ ...bfcl, evaluation: 'bfcl-1' });
      expect(report.parts.map(({ part, questions }) => [part, questions])).toEqual([
        ['multiple', 2],
        ['irrelevance', 4],
      ]);
      const irrelevance = report.parts[1];
      // A policy that has never seen such prompts calls nothing that can be read, most of the time.
      expect(irrelevance?.correct).toBeGreaterThan(0);
      expect(report.aggregates).toContainEqual({
        version: 'v4',
        name: 'irrelevance',
        accuracy: (irrelevance?.accuracy ?? 0) / 2,
        notRun: ['live_irrelevance'],
      });
      const folder = report.folder ?? '';
      expect(
        (await readdir(folder, { recursive: true }))
          .filter((name) => name.endsWith('.json'))
          .sort(),
      ).toEqual(
        ['result', 'score'].flatMap((kind) =>
          [
            `BFCL_v3_irrelevance_${kind}.json`,
            `BFCL_v3_multiple_${kind}.json`,
            `non_live/BFCL_v4_irrelevance_${kind}.json`,
            `non_live/BFCL_v4_multiple_${kind}.json`,
          ].map((name) => `${kind}/long-policy/${name}`),
        ),
      );
      const score = join(folder, 'score/long-policy/BFCL_v3_irrelevance_score.json');
      const [head, ...wrong] = (await readFile(score, 'utf8')).trimEnd().split('\n');
      expect(JSON.parse(head ?? '')).toEqual({
        accuracy: irrelevance?.accuracy,
        correct_count: irrelevance?.correct,
        total_count: 4,
      });
      expect(wrong).toHaveLength(4 - (irrelevance?.correct ?? 0));
      await expect(
        home.toolsample.startEvaluation({ ...bfcl, limit: 1, evaluation: 'bfcl-1' }),
      ).rejects.toThrow(/"bfcl-1" exists, of something else \(limit differs\)/);
    },
    3 * MINUTE,
  );

  it("judges prompts without room as BFCL's harness judges errors, and counts them apart", async () => {
    const policy = await policyWith(16, 'short-policy');
    const report = await complete({ ...bfcl, policy, evaluation: 'no-room' });
    expect(report.parts).toMatchObject([
      { part: 'multiple', answered: 2, tooLong: 2, correct: 0 },
      { part: 'irrelevance', answered: 4, tooLong: 4, correct: 4 },
    ]);
    expect(await answers('no-room')).toContainEqual(
      expect.objectContaining({ part: 'multiple', error_type: 'prompt_too_long', completion: '' }),
    );
  });

  it('fails with one line on questions that cannot be used, and goes on once they can', async () => {
    const data = join(home.path, 'broken');
    await cp(FIXTURES, data, { recursive: true });
    const questions = join(data, 'BFCL_v4_parallel.json');
    const good = await readFile(questions, 'utf8');
    await writeFile(questions, good.replace('"question"', '"Question"'));
    const options = { ...bfcl, data, categories: ['parallel'] };
    await expect(complete(options)).rejects.toThrow(/parallel\.json, row 1.*not one turn/);
    await writeFile(questions, good);
    expect((await complete(options)).parts[0]).toMatchObject({ part: 'parallel', answered: 1 });
  });
});
