import { hashSeed } from '../contracts/hash.ts';
import type { Sample } from '../contracts/sample.ts';
import { calledTools, offeredTools } from './offered-tools.ts';

/** On which side of a split a sample is. `mixed`: on neither. */
export type SplitSide = 'train' | 'heldOut' | 'mixed';

/** A split by tools: samples of `train` neither offer nor call any of those held out, samples of `heldOut` call no other. */
export interface ToolSplit {
  readonly heldOut: ReadonlySet<string>;
  readonly trainTools: number;
  side(sample: Sample): SplitSide;
}

/**
 * Collects which samples have to do with which tool, and then chooses the tools to hold out: in a seeded order, each one
 * that does not take more than its share of the samples from training.
 */
export class ToolSplitter {
  #samples = 0;
  readonly #samplesOf = new Map<string, number[]>();

  add(sample: Sample): void {
    for (const name of toolsOf(sample)) {
      const list = this.#samplesOf.get(name);
      if (list === undefined) this.#samplesOf.set(name, [this.#samples]);
      else list.push(this.#samples);
    }
    this.#samples++;
  }

  /** @param share of the samples that training may lose; with too small a one, no tool is held out */
  choose({ seed, share }: { readonly seed: number; readonly share: number }): ToolSplit {
    const budget = Math.floor(this.#samples * share);
    const ordered = [...this.#samplesOf]
      .map(([name, samples]) => ({ name, samples, order: hashSeed('split by tool', seed, name) }))
      .sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
    const heldOut = new Set<string>();
    const taken = new Set<number>();
    for (const { name, samples } of ordered) {
      const more = samples.filter((index) => !taken.has(index));
      if (taken.size + more.length > budget) continue;
      heldOut.add(name);
      for (const index of more) taken.add(index);
    }
    const side = (sample: Sample): SplitSide => {
      if (![...toolsOf(sample)].some((name) => heldOut.has(name))) return 'train';
      const called = [...calledTools(sample)];
      return called.length > 0 && called.every((name) => heldOut.has(name)) ? 'heldOut' : 'mixed';
    };
    return { heldOut, trainTools: this.#samplesOf.size - heldOut.size, side };
  }

  /** The smallest share of the samples that holding out a single tool would take from training; 1 without tools. */
  get smallestShare(): number {
    let smallest = this.#samples;
    for (const samples of this.#samplesOf.values()) smallest = Math.min(smallest, samples.length);
    return this.#samples === 0 ? 1 : smallest / this.#samples;
  }
}

function toolsOf(sample: Sample): ReadonlySet<string> {
  return new Set([...offeredTools(sample), ...calledTools(sample)]);
}
