import type { RunConfig } from '../contracts/config.ts';
import { builtinCorpus } from '../datasets/builtin/corpus.ts';
import { median, repeat, type Patience } from './measure.ts';
import { simpleRow, type BenchRow } from './row.ts';
import { startServing } from './served-policy.ts';

/** Clients at once, and how many times as fast as one after another they should be. */
const CLIENTS = 64;
const BAR = 3;

/** What one way of asking came to. */
interface Asked {
  readonly tokens: number;
  readonly seconds: number;
}

/**
 * Built-in tasks asked of `toolsample serve`, a process of its own, over HTTP: all at once, and one after another. Both ways take
 * turns, and the one that begins changes from round to round.
 */
export async function measureServing(
  { policy, threads, levelMix }: RunConfig,
  patience: Patience,
  log: (message: string) => void,
): Promise<BenchRow[]> {
  const size = CLIENTS;
  const questions = [...builtinCorpus({ seed: 1, size, levelMix })].map(({ messages }) => messages);
  const server = await startServing(['--policy', policy, '--threads', String(threads)]);
  const rounds: { readonly atOnce: Asked; readonly inTurn: Asked }[] = [];
  try {
    const ask = async (index: number): Promise<number> => {
      const { usage } = (await post(`${server.address}/chat/completions`, {
        messages: questions[index],
        seed: index,
        max_tokens: 64,
      })) as { usage: { completion_tokens: number } };
      return usage.completion_tokens;
    };
    const all = [...questions.keys()];
    const atOnce = async (): Promise<Asked> => timed(async () => Promise.all(all.map(ask)));
    const inTurn = async (): Promise<Asked> =>
      timed(async () => {
        const tokens: number[] = [];
        for (const index of all) tokens.push(await ask(index));
        return tokens;
      });
    await atOnce();
    await repeat(patience, async (round) => {
      log(`serving: round ${round + 1}`);
      if (round % 2 === 0) rounds.push({ atOnce: await atOnce(), inTurn: await inTurn() });
      else rounds.push({ inTurn: await inTurn(), atOnce: await atOnce() });
    });
  } finally {
    await server.stop();
  }
  const speed = ({ tokens, seconds }: Asked): number => tokens / seconds;
  const ratio = median(rounds.map((round) => speed(round.atOnce) / speed(round.inTurn)));
  return [
    simpleRow({
      work: `serving ${CLIENTS} clients at once`,
      model: policy,
      value: median(rounds.map((round) => speed(round.atOnce))),
      unit: 'tokens/s',
      against: 'one after another',
      peer: median(rounds.map((round) => speed(round.inTurn))),
      ratio,
      bars: [{ of: 'ratio', least: BAR, met: ratio >= BAR }],
      repeats: rounds.length,
    }),
  ];
}

async function timed(work: () => Promise<readonly number[]>): Promise<Asked> {
  const started = performance.now();
  const tokens = (await work()).reduce((sum, each) => sum + each, 0);
  return { tokens, seconds: (performance.now() - started) / 1000 };
}

async function post(url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer.json();
}
