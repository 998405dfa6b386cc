import type { GenerationPrompt } from '../../contracts/policy.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import { keyValueBytes } from './row-grid.ts';

/** One completion in the making. */
export interface WaveRow {
  readonly prompt: number;
  readonly index: number;
  readonly seed: number;
  /** Tokens at most. */
  readonly limit: number;
  readonly ids: number[];
  readonly logprobs: number[];
  /** Ended with EOS. */
  stopped: boolean;
  finished: boolean;
}

/** More rows at once make a token no cheaper. */
const MAX_ROWS = 256;
/** Keys and values of one wave at most, unless a single row needs more. */
const MAX_CACHE_BYTES = 2 * 1024 ** 3;

/**
 * Divides completions into waves that run together: prompts of like length, as many rows as pay and fit in memory.
 * A prompt's completions stay together where they can.
 */
export function planWaves(
  { traits, contextLength }: { readonly traits: LlamaTraits; readonly contextLength: number },
  prompts: readonly GenerationPrompt[],
  maxNewTokens: number,
): WaveRow[][] {
  const tokenBytes = keyValueBytes(traits);
  const order = [...prompts.keys()].sort(
    (a, b) => prompts[a]!.ids.length - prompts[b]!.ids.length || a - b,
  );
  const waves: WaveRow[][] = [];
  let wave: WaveRow[] = [];
  let bytes = 0;
  const close = (): void => {
    if (wave.length > 0) waves.push(wave);
    wave = [];
    bytes = 0;
  };
  for (const prompt of order) {
    const { ids, seeds } = prompts[prompt]!;
    const limit = Math.min(maxNewTokens, contextLength - ids.length);
    const promptBytes = ids.length * tokenBytes;
    const rowBytes = limit * tokenBytes;
    const whole = promptBytes + seeds.length * rowBytes;
    if (wave.length + seeds.length > MAX_ROWS || bytes + whole > MAX_CACHE_BYTES) close();
    bytes += promptBytes;
    for (const [index, seed] of seeds.entries()) {
      if (wave.length >= MAX_ROWS || (wave.length > 0 && bytes + rowBytes > MAX_CACHE_BYTES)) {
        close();
        bytes += promptBytes;
      }
      wave.push({
        prompt,
        index,
        seed,
        limit,
        ids: [],
        logprobs: [],
        stopped: false,
        finished: false,
      });
      bytes += rowBytes;
    }
  }
  close();
  return waves;
}
