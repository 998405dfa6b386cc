import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { createTinkerEngine } from '../../tinker/create-tinker-engine.ts';
import {
  bodyOf,
  useService,
  type Exchange,
  type RecordedExchange,
} from '../unit/support/tinker-exchange.ts';
import { skyrlVersion, startSkyrl } from './skyrl-server.ts';

/*
 * Records what a real service is asked and answers, for test/unit/tinker-contract.test.ts: `npm run record-tinker`. Needs SkyRL
 * (docs/tinker.md).
 */

const OUTPUT = new URL('../fixtures/tinker/exchange.json', import.meta.url);

const folder = await mkdtemp(join(tmpdir(), 'toolsample-record-tinker-'));
const skyrl = await startSkyrl({ model: BUILTIN_POLICY, folder: join(folder, 'server') });
const exchanges = new Map<string, Exchange>();
const recorder = createServer((request, response) => {
  void (async () => {
    const path = request.url ?? '';
    const body = await bodyOf(request);
    const upstream = await fetch(`${skyrl.url}${path}`, {
      method: request.method ?? 'GET',
      headers: {
        'content-type': request.headers['content-type'] ?? 'application/json',
        accept: request.headers.accept ?? '*/*',
      },
      ...(request.method === 'POST' ? { body: Buffer.from(body, 'base64') } : {}),
      redirect: 'manual',
    });
    const answer = Buffer.from(await upstream.arrayBuffer());
    const type = upstream.headers.get('content-type') ?? '';
    // Where a file lies, without the host: the recorder's own, and later the replay's.
    const location = upstream.headers.get('location')?.replace(skyrl.url, '') ?? null;
    const { status } = upstream;
    const exchange = {
      path,
      request: body,
      status,
      type,
      location,
      answer: answer.toString('base64'),
    };
    exchanges.set(`${path} ${body}`, exchange);
    response
      .writeHead(status, { 'content-type': type, ...(location === null ? {} : { location }) })
      .end(answer);
  })();
});
recorder.listen(0, '127.0.0.1');
await once(recorder, 'listening');
try {
  const artifacts = await openArtifactStore({
    artifacts: join(folder, 'artifacts'),
    temporary: join(folder, 'temporary'),
    cache: join(folder, 'cache'),
  });
  const engine = createTinkerEngine({
    artifacts,
    baseUrl: `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`,
    baseModel: 'auto',
    reduction: 'sequence-mean',
    apiKey: undefined,
  });
  await useService(engine, artifacts, folder);
  // The same with a second model, as after a loss of the first.
  await useService(engine, artifacts, join(folder, 'again'));
  await askLostModel(`http://127.0.0.1:${(recorder.address() as AddressInfo).port}`);
  // One heartbeat.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  await engine.close();
  const recorded: RecordedExchange = {
    of: `skyrl ${await skyrlVersion()}, backend jax, the shipped policy`,
    exchanges: [...exchanges.values()],
  };
  await writeFile(OUTPUT, `${JSON.stringify(recorded, null, 1)}\n`);
  process.stdout.write(`${exchanges.size} exchanges of ${recorded.of}\n`);
} finally {
  recorder.closeAllConnections();
  recorder.close();
  await skyrl.kill();
  await rm(folder, { recursive: true, force: true });
}

/** What the service says of a model that it has unloaded: the first one was, when the second was made. */
async function askLostModel(url: string): Promise<void> {
  const made = [...exchanges.values()].find(({ path }) => path.endsWith('create_model'));
  const { model_id: model } = JSON.parse(decoded(made?.answer)) as { model_id: string };
  const post = async (call: string, body: object): Promise<string> => {
    const response = await fetch(`${url}/api/v1/${call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.text();
  };
  const adam = { learning_rate: 0, beta1: 0, beta2: 0, eps: 1, weight_decay: 0 };
  const asked = await post('optim_step', { model_id: model, adam_params: adam, seq_id: 99 });
  await post('retrieve_future', JSON.parse(asked) as object);
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString();
}
