import { median } from './measure.ts';
import { simpleRow, type Bar, type BenchRow } from './row.ts';

/** One repetition of a piece of work. */
export interface Repetition {
  readonly seconds: number;
  readonly tokens: number;
}

/** What one repetition of the product has computed. */
export interface ProductRepetition extends Repetition {
  readonly flops: number;
  /** Seconds of its parts, by name. */
  readonly phases: { readonly [name: string]: number };
  /** Where the work was not quite what it should be; empty: it was. */
  readonly note: string;
}

/** Product and peers, one after the other. */
export interface Round {
  readonly product: ProductRepetition;
  /** GFLOP/s, the larger of those measured before and after the product. */
  readonly roofline: number;
  /** In the order of the peers; null: that peer gave no answer. */
  readonly peers: readonly (Repetition | null)[];
}

/** Someone that does the same work. */
export interface PeerOutcome {
  readonly name: string;
  /** Least ratio wanted; null: none. */
  readonly bar: number | null;
  /** Why it was not measured, or not to the end; null: it was. */
  readonly failure: string | null;
}

/** What was compared. */
export interface ComparedWork {
  readonly work: string;
  readonly model: string;
  /** `s`: seconds of one repetition. */
  readonly unit: 'tokens/s' | 's';
  /** Least share of the roofline wanted; null: none. */
  readonly shareBar: number | null;
  /** Repetitions that were wanted. */
  readonly repeats: number;
}

/** A row for each peer, or a single one without peers. Share and its bar, being the product's own, count in the first. */
export function comparedRows(
  compared: ComparedWork,
  peers: readonly PeerOutcome[],
  rounds: readonly Round[],
): BenchRow[] {
  const { work, model, unit, shareBar, repeats } = compared;
  const value = median(rounds.map(({ product }) => inUnit(unit, product)));
  const share = median(
    rounds.map(({ product, roofline }) => product.flops / 1e9 / product.seconds / roofline),
  );
  const limit = unit === 's' ? value * share : value / share;
  const common = { work, model, value, unit, limit, share, repeats: rounds.length };
  const fewer = rounds.length < repeats ? `${rounds.length} of ${repeats} rounds: time limit` : '';
  const notes = [fewer, ...new Set(rounds.map(({ product }) => product.note))];
  const shareBars: Bar[] =
    shareBar === null ? [] : [{ of: 'share', least: shareBar, met: share >= shareBar }];
  if (peers.length === 0) {
    return [simpleRow({ ...common, bars: shareBars, note: joined(notes) })];
  }
  return peers.map(({ name, bar, failure }, i) => {
    const pairs = rounds.flatMap(({ product, peers: others }) => {
      const other = others[i] ?? null;
      return other === null ? [] : [{ product, other }];
    });
    const measured = pairs.length > 0;
    const ratio = measured ? median(pairs.map((pair) => timesAsFast(unit, pair))) : null;
    const met = ratio === null || bar === null ? null : ratio >= bar;
    return simpleRow({
      ...common,
      against: name,
      peer: measured ? median(pairs.map(({ other }) => inUnit(unit, other))) : null,
      ratio,
      bars: [
        ...(i === 0 ? shareBars : []),
        ...(bar === null ? [] : [{ of: 'ratio' as const, least: bar, met }]),
      ],
      note: joined([...notes, failure === null ? '' : `${name}: ${failure}`]),
    });
  });
}

/** Whether a row needs an explanation. */
export function missesBar({ bars }: BenchRow): boolean {
  return bars.some(({ met }) => met === false);
}

/** The parts of the product's time as shares, the rest being what lies between them; empty without parts. */
export function phaseShares(rounds: readonly Round[]): string {
  const names = Object.keys(rounds[0]?.product.phases ?? {});
  const shareOf = (name: string): number =>
    median(rounds.map(({ product }) => (product.phases[name] ?? 0) / product.seconds));
  return names.map((name) => `${name} ${(100 * shareOf(name)).toFixed(0)}%`).join(', ');
}

function joined(notes: readonly string[]): string {
  return notes.filter((note) => note !== '').join('; ');
}

function inUnit(unit: ComparedWork['unit'], { seconds, tokens }: Repetition): number {
  return unit === 's' ? seconds : tokens / seconds;
}

function timesAsFast(
  unit: ComparedWork['unit'],
  { product, other }: { readonly product: Repetition; readonly other: Repetition },
): number {
  if (unit === 's') return other.seconds / product.seconds;
  return inUnit(unit, product) / inUnit(unit, other);
}
