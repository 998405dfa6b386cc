import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { painter, table } from '../cli/render/text.ts';
import type { EvaluationReport } from '../contracts/suite-evaluation.ts';
import { BFCL_CATEGORIES, type BfclCategory } from '../evaluation/bfcl/categories.ts';
import { readQuestions } from '../evaluation/bfcl/questions.ts';
import { packageData } from '../test/unit/support/bfcl-package.ts';
import { withScratchFolder } from './scratch-folder.ts';
import { PROGRAM, startServing } from './served-policy.ts';

/*
 * The official harness of BFCL (PyPI bfcl-eval), unchanged, against `toolsample serve`: it generates over HTTP and judges itself;
 * and `toolsample eval` on the same questions, which the package brings, live ones too.
 * Route A talks to /v1/chat/completions with tools; route B renders prompts itself, as Qwen's, for /v1/completions.
 *
 *   python3 -m venv ~/bfcl && ~/bfcl/bin/pip install bfcl-eval soundfile
 *   npm run bfcl-harness -- --bfcl ~/bfcl/bin/bfcl --policy DIR --cases 8
 */

/** Models that the harness knows, for the way in which it asks them. */
const ROUTES = { A: 'openbmb/MiniCPM-SALA-FC', B: 'Qwen/Qwen3-0.6B-FC' } as const;
type Route = keyof typeof ROUTES;

interface Score {
  readonly accuracy: number;
  readonly total_count: number;
}

const { values } = parseArgs({
  options: {
    bfcl: { type: 'string', default: process.env['TOOLSAMPLE_BFCL'] ?? 'bfcl' },
    policy: { type: 'string' },
    cases: { type: 'string', default: '8' },
    category: { type: 'string', multiple: true, default: [...BFCL_CATEGORIES] },
    route: { type: 'string', multiple: true, default: Object.keys(ROUTES) },
    'max-completion-length': { type: 'string', default: '256' },
  },
});

const data = packageData(resolve(dirname(values.bfcl), 'python'));

await withScratchFolder(async (root) => {
  const folder = resolve(values.policy ?? 'assets/policy');
  const length = values['max-completion-length'];
  const server = await startServing(['--policy', folder, '--max-completion-length', length]);
  try {
    await chooseCases(root);
    const scores = new Map<string, ReadonlyMap<string, Score>>();
    for (const route of values.route) {
      const model = ROUTES[route as Route];
      const chosen = ['--model', model];
      const local = ['--skip-server-setup', '--local-model-path', folder];
      const generate = [...chosen, '--run-ids', '--num-threads', '32'];
      await bfcl(
        root,
        server.address,
        'generate',
        route === 'B' ? [...generate, ...local] : generate,
      );
      const test = ['--test-category', values.category.join(','), '--partial-eval'];
      await bfcl(root, server.address, 'evaluate', [...chosen, ...test]);
      scores.set(`route ${route}`, await readScores(join(root, 'score', model.replace('/', '_'))));
    }
    scores.set('toolsample eval', await ownScores(root, folder));
    const columns = [...scores.values()];
    const lines = table(
      ['category', 'cases', ...scores.keys()],
      values.category.map((category) => [
        category,
        String(columns[0]?.get(category)?.total_count ?? 0),
        ...columns.map((each) => percent(each.get(category)?.accuracy)),
      ]),
      { paint: painter(process.stdout.isTTY), left: [0] },
    );
    for (const line of lines) console.log(line);
  } finally {
    await server.stop();
  }
});

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(1)}%`;
}

/** The first cases of each category. */
async function chooseCases(root: string): Promise<void> {
  const chosen: Record<string, string[]> = {};
  for (const category of values.category) {
    const ids: string[] = [];
    const file = join(data, `BFCL_v4_${category}.json`);
    for await (const { question } of readQuestions(category as BfclCategory, file)) {
      if (ids.push(question.id) >= Number(values.cases)) break;
    }
    chosen[category] = ids;
  }
  await writeFile(join(root, 'test_case_ids_to_generate.json'), JSON.stringify(chosen));
}

/** What our own evaluation comes to, in a data folder of its own. */
async function ownScores(root: string, policy: string): Promise<ReadonlyMap<string, Score>> {
  const home = ['--home', join(root, 'home')];
  const file = join(root, 'own.json');
  const toolsample = async (...args: string[]): Promise<void> => {
    await promisify(execFile)(process.execPath, [PROGRAM, ...args, ...home]);
  };
  const questions = ['--data', data, '--categories', values.category.join(',')];
  const limits = ['--limit', values.cases];
  const length = ['--max-completion-length', values['max-completion-length']];
  const asked = ['--policy', policy, '--suite', 'bfcl', ...questions, ...limits, ...length];
  try {
    await toolsample('eval', ...asked, '--json', file);
  } finally {
    await toolsample('down');
  }
  const { parts } = JSON.parse(await readFile(file, 'utf8')) as EvaluationReport;
  return new Map(
    parts.map(({ part, accuracy, questions }) => [part, { accuracy, total_count: questions }]),
  );
}

/** Runs the harness. @throws Error when it fails */
async function bfcl(root: string, address: string, command: string, args: string[]): Promise<void> {
  const { hostname, port } = new URL(address);
  const env = {
    ...process.env,
    BFCL_PROJECT_ROOT: root,
    OPENAI_BASE_URL: address,
    OPENAI_API_KEY: 'none',
    LOCAL_SERVER_ENDPOINT: hostname,
    LOCAL_SERVER_PORT: port,
    HF_HUB_OFFLINE: '1',
  };
  await mkdir(root, { recursive: true });
  const child = spawn(values.bfcl, [command, ...args], { cwd: root, env, stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`bfcl ${command} ended with ${code}`);
}

/** The first line of each score file, by category. */
async function readScores(folder: string): Promise<Map<string, Score>> {
  const scores = new Map<string, Score>();
  for (const name of await readdir(folder, { recursive: true })) {
    const category = /BFCL_v\d_(\w+)_score\.json$/.exec(name)?.[1];
    if (category === undefined) continue;
    const [line = '{}'] = (await readFile(join(folder, name), 'utf8')).split('\n');
    scores.set(category, JSON.parse(line) as Score);
  }
  return scores;
}
