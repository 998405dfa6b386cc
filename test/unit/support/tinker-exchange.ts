import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ArtifactStore } from '../../../contracts/artifacts.ts';
import type {
  GeneratedCompletion,
  GradientRequest,
  GradientResult,
  PolicyEngine,
  PolicyRef,
} from '../../../contracts/policy.ts';
import { generateSample } from '../../../datasets/builtin/generator.ts';
import { BUILTIN_POLICY } from '../../../policy/checkpoint/builtin-policy.ts';
import { importTextFolder } from '../../../policy/checkpoint/import-policy.ts';
import { loadPolicyText } from '../../../policy/text/policy-text.ts';
import { OBJECTIVE } from './training-options.ts';

/** One request that a real service was sent, and its answer. Bodies are base64. */
export interface Exchange {
  readonly path: string;
  readonly request: string;
  readonly status: number;
  readonly type: string;
  readonly location: string | null;
  readonly answer: string;
}

/** What test/real/record-exchange.ts wrote down. */
export interface RecordedExchange {
  /** What was recorded, and with which version. */
  readonly of: string;
  readonly exchanges: readonly Exchange[];
}

/** What a recorded service was used for; the same calls give the same requests. */
export interface UsedService {
  readonly sampled: readonly GeneratedCompletion[];
  /** One update, from fresh adapters. */
  readonly step: GradientResult;
  /** One update, from there. */
  readonly next: GradientResult;
  /** Two updates on a batch, from there. */
  readonly last: GradientResult;
  /** By the policy after the last. */
  readonly greedy: readonly GeneratedCompletion[];
  /** Folders of the policies after the first step and after the last. */
  readonly exported: { readonly first: string; readonly last: string };
}

const TRAINABLE = { mode: 'lora', loraRank: 1, loraAlpha: 32, seed: 3 } as const;

export const OPTIMIZER = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
};

/** The batch that {@link useService} trains on. */
export async function recordedBatch(
  artifacts: ArtifactStore,
  policy: PolicyRef,
  sampled: readonly GeneratedCompletion[],
  numIterations: number,
): Promise<GradientRequest> {
  return {
    policy,
    trainable: TRAINABLE,
    sequences: await trainingSequences(artifacts, policy, sampled),
    objective: { ...OBJECTIVE, numIterations },
    optimizer: OPTIMIZER,
    microBatchTokens: 4096,
  };
}

/** Samples from the base, trains three steps on what came, samples from the outcome, and exports it. */
export async function useService(
  engine: PolicyEngine,
  artifacts: ArtifactStore,
  folder: string,
): Promise<UsedService> {
  const base = await importTextFolder(BUILTIN_POLICY, artifacts);
  const sampled = await sampleFrom(engine, artifacts, base, 1);
  const step = await engine.gradientStep(await recordedBatch(artifacts, base, sampled, 1));
  const exported = { first: join(folder, 'first'), last: join(folder, 'last') };
  await engine.export(step.policy, TRAINABLE, exported.first);
  const next = await engine.gradientStep(await recordedBatch(artifacts, step.policy, sampled, 1));
  const last = await engine.gradientStep(await recordedBatch(artifacts, next.policy, sampled, 2));
  const greedy = await sampleFrom(engine, artifacts, last.policy, 0);
  await engine.export(last.policy, TRAINABLE, exported.last);
  return { sampled, step, next, last, greedy, exported };
}

async function promptsOf(artifacts: ArtifactStore, { base }: PolicyRef) {
  const text = await loadPolicyText(base, artifacts);
  return [0, 1].map((index) => ({
    ids: text.encodePrompt(generateSample({ seed: 1, index, level: 1, split: 'train' })),
    seeds: [11 + index, 22],
  }));
}

export async function sampleFrom(
  engine: PolicyEngine,
  artifacts: ArtifactStore,
  policy: PolicyRef,
  temperature: number,
): Promise<readonly GeneratedCompletion[]> {
  const prompts = await promptsOf(artifacts, policy);
  const sampling = { temperature, topP: 1, maxNewTokens: 40 };
  return engine.generate({ policy, trainable: TRAINABLE, prompts, sampling });
}

/** Advantages of either sign, and rollouts that were not quite the trainer's: then the loss depends on every log-probability. */
async function trainingSequences(
  artifacts: ArtifactStore,
  policy: PolicyRef,
  sampled: readonly GeneratedCompletion[],
) {
  const prompts = await promptsOf(artifacts, policy);
  return sampled.map(({ prompt, ids, logprobs }, i) => ({
    promptIds: prompts[prompt]?.ids ?? [],
    completionIds: ids,
    rolloutLogprobs: logprobs.map((logprob, t) => logprob - 0.4 * Math.sin(t + i)),
    advantage: [1, -0.5, 0.25, -1][i % 4] ?? 0,
    masked: false,
  }));
}

/** What a service does wrong before it does right. */
export type Fault = 'none' | '408' | '429' | '500' | 'cut' | 'lost';

export interface Replay {
  readonly url: string;
  /** Paths of the requests that came, in their order. */
  readonly asked: readonly string[];
  /** The keys that came with them. */
  readonly keys: ReadonlySet<string>;
  /** Requests that no recorded one is the same as. */
  readonly unknown: readonly string[];
  /** Every request meets this first, once each. */
  fault(kind: Fault): void;
  /** The next request of this path is answered so, recorded or not. */
  once(path: string, answer: Pick<Exchange, 'status' | 'answer'>): void;
  close(): Promise<void>;
}

/** A service that answers with the bytes that the real one answered with, and only to the very requests that it had. */
export async function replay({ exchanges }: RecordedExchange): Promise<Replay> {
  const known = new Map(exchanges.map((each) => [`${each.path} ${each.request}`, each]));
  const asked: string[] = [];
  const unknown: string[] = [];
  const keys = new Set<string>();
  const faulted = new Set<string>();
  const special = new Map<string, Pick<Exchange, 'status' | 'answer'>>();
  let fault: Fault = 'none';
  const send = (
    response: ServerResponse,
    { status, type, location, answer }: Omit<Exchange, 'path' | 'request'>,
  ): void => {
    const headers = { 'content-type': type, ...(location === null ? {} : { location }) };
    response.writeHead(status, headers).end(Buffer.from(answer, 'base64'));
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const path = request.url ?? '';
    const key = `${path} ${body}`;
    asked.push(path);
    keys.add(String(request.headers['x-api-key']));
    const json = { type: 'application/json', location: null };
    const answer = special.get(path);
    if (answer !== undefined) {
      special.delete(path);
      return send(response, { ...json, ...answer });
    }
    if (fault !== 'none' && !faulted.has(key)) {
      faulted.add(key);
      // The service has done its work; its answer is lost, or half of it.
      if (fault === 'lost') return void request.socket.destroy();
      if (fault === 'cut') {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        return void response.write('{"request_id": "', () => request.socket.destroy());
      }
      const detail = Buffer.from(`{"detail":"${fault}"}`).toString('base64');
      return send(response, { ...json, status: Number(fault), answer: detail });
    }
    const exchange = known.get(key);
    if (exchange !== undefined) return send(response, exchange);
    unknown.push(key);
    send(response, { ...json, status: 500, answer: '' });
  };
  const server: Server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    keys,
    unknown,
    fault: (kind) => {
      fault = kind;
      faulted.clear();
    },
    once: (path, answer) => special.set(path, answer),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  return Buffer.concat(parts).toString('base64');
}
