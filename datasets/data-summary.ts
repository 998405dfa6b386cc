import type {
  DataReport,
  LengthSummary,
  PromptLengths,
  ToolCount,
} from '../contracts/data-report.ts';
import {
  COMPLETION_SHAPES,
  type DataFormat,
  type RejectedRow,
  type Sample,
} from '../contracts/sample.ts';
import { spacedJson } from '../contracts/tool-call-text.ts';
import { calledTools, offeredTools } from './offered-tools.ts';

/** Lengths of one sample's prompt and reference completion. */
export interface SampleLengths {
  readonly prompt: number;
  readonly completion: number;
}

/** Bad rows that are listed. */
const PROBLEMS = 20;
/** Tools that are listed. */
const TOOLS = 10;

/** Collects what `data inspect` tells of a file, sample by sample; texts are not kept. */
export class DataSummary {
  #rows = 0;
  #lastRow = 0;
  #samples = 0;
  #badRows = 0;
  #first: Sample | null = null;
  readonly #problems: RejectedRow[] = [];
  readonly #shapes = new Map<string, number>();
  readonly #calls = new Map<number, number>();
  readonly #offered = new Map<string, number>();
  readonly #called = new Map<string, number>();
  readonly #characters = new LengthCollector();
  readonly #tokens = new LengthCollector();

  /** Of the file, as far as it was read; null: no row is of a known one. */
  format: DataFormat | null = null;

  addBadRow(row: RejectedRow): void {
    this.#badRows++;
    if (this.#problems.length < PROBLEMS) this.#problems.push(row);
  }

  /** @param tokens where a policy was named */
  addSample(sample: Sample, tokens: SampleLengths | null): void {
    this.#samples++;
    this.#first ??= sample;
    if (sample.provenance.row !== this.#lastRow) this.#rows++;
    this.#lastRow = sample.provenance.row;
    count(this.#shapes, sample.shape);
    count(this.#calls, sample.calls.length);
    for (const name of offeredTools(sample)) count(this.#offered, name);
    for (const name of calledTools(sample)) count(this.#called, name);
    this.#characters.add(characters(sample));
    if (tokens !== null) this.#tokens.add(tokens);
  }

  get first(): Sample | null {
    return this.#first;
  }

  report(file: string, firstPrompt: string | null): DataReport {
    const byCalls = [...this.#calls].sort(([a], [b]) => a - b);
    return {
      file,
      format: this.format,
      samples: this.#samples,
      rows: this.#rows,
      badRows: this.#badRows,
      problems: this.#problems,
      shapes: Object.fromEntries(
        COMPLETION_SHAPES.map((shape) => [shape, this.#shapes.get(shape) ?? 0]),
      ) as DataReport['shapes'],
      callsPerSample: Object.fromEntries(byCalls),
      tools: this.#tools(),
      characters: this.#characters.lengths(),
      tokens: this.#tokens.lengths(),
      first: this.#first,
      firstPrompt,
    };
  }

  #tools(): DataReport['tools'] {
    const names = new Set([...this.#offered.keys(), ...this.#called.keys()]);
    const most = [...names]
      .map((name): ToolCount => ({
        name,
        offered: this.#offered.get(name) ?? 0,
        called: this.#called.get(name) ?? 0,
      }))
      .sort((a, b) => b.called - a.called || b.offered - a.offered || (a.name < b.name ? -1 : 1))
      .slice(0, TOOLS);
    return { names: names.size, most };
  }
}

/** Of a prompt: its messages, calls in them, and tools as JSON. In UTF-16 units. */
function characters({ messages, tools, groundTruth }: Sample): SampleLengths {
  const texts = messages.map(
    ({ content, calls }) =>
      content.length + (calls ?? []).reduce((sum, call) => sum + JSON.stringify(call).length, 0),
  );
  const shown = (tools ?? []).map(
    ({ name, description, parameters }) =>
      name.length + description.length + spacedJson(parameters).length,
  );
  const prompt = [...texts, ...shown].reduce((sum, length) => sum + length, 0);
  return { prompt, completion: groundTruth.length };
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

class LengthCollector {
  readonly #prompts: number[] = [];
  readonly #completions: number[] = [];

  add({ prompt, completion }: SampleLengths): void {
    this.#prompts.push(prompt);
    this.#completions.push(completion);
  }

  lengths(): PromptLengths | null {
    if (this.#prompts.length === 0) return null;
    return { prompt: summary(this.#prompts), completion: summary(this.#completions) };
  }
}

function summary(lengths: readonly number[]): LengthSummary {
  const sorted = Float64Array.from(lengths).sort();
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { min: sorted[0] ?? 0, median: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 };
}
