import type { CurvePoint, ExperimentRunResult } from '../contracts/experiment.ts';
import { meanAt } from '../dashboard/model/seed-bands.ts';

/** A mean over seeds with its 95% interval (Student's t); ends are null where there is but one seed. */
export interface Estimate {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Seeds. */
  readonly n: number;
}

/** What the completed runs of one arm came to. */
export interface ArmResult {
  readonly arm: string;
  readonly seeds: readonly number[];
  /** At the end, on the first held-out split. */
  readonly reward: Estimate;
  readonly exactMatch: Estimate;
  /** Tokens until the baseline's final reward of the same seed. A seed that never got there counts with all of its tokens: at least so many. */
  readonly tokensToBaseline: Estimate;
  /** Seeds that got there, of those that the baseline completed too. */
  readonly reached: number;
  /** Against the baseline's run of the same seed; null for the baseline itself, and where no seed is shared. */
  readonly paired: PairedResult | null;
  readonly generatedTokens: Estimate;
  readonly steps: Estimate;
  readonly zeroVariance: Estimate;
}

/** Differences to the baseline, seed by seed. */
export interface PairedResult {
  readonly reward: Estimate;
  readonly exactMatch: Estimate;
  /** In the mean reward over the tokens that both runs have generated: how soon, where the end itself is on a plateau. */
  readonly onTheWay: Estimate;
  /**
   * Share of the baseline's tokens to its own final reward that were saved: 0.4 is 40% fewer; at most so many where a seed never got there.
   * Seeds whose baseline ends no better than it began are left out: it needed no tokens, so none can be saved.
   */
  readonly tokensSaved: Estimate;
}

/**
 * Compares the arms of an experiment with one of them. Only completed runs count; pairs are of one seed.
 *
 * @param arms - All arms, in their order; those without a completed run are left out.
 */
export function compareArms(
  arms: readonly string[],
  baseline: string,
  results: readonly ExperimentRunResult[],
): ArmResult[] {
  const ofBaseline = new Map(
    results.filter(({ arm }) => arm === baseline).map((result) => [result.seed, result]),
  );
  return arms.flatMap((arm) => {
    const own = results.filter((result) => result.arm === arm && result.curve.length > 0);
    return own.length === 0 ? [] : [armResult(arm, own, arm === baseline, ofBaseline)];
  });
}

type ByReferenceSeed = ReadonlyMap<number, ExperimentRunResult>;

function armResult(
  arm: string,
  own: readonly ExperimentRunResult[],
  isBaseline: boolean,
  ofBaseline: ByReferenceSeed,
): ArmResult {
  const pairs = own.flatMap((result) => {
    const reference = ofBaseline.get(result.seed);
    return reference === undefined ? [] : [{ result, reference, ...race(result, reference) }];
  });
  const differences = (of: (end: CurvePoint) => number): Estimate =>
    estimate(pairs.map(({ result, reference }) => of(end(result)) - of(end(reference))));
  return {
    arm,
    seeds: own.map(({ seed }) => seed),
    reward: estimate(own.map((result) => end(result).reward)),
    exactMatch: estimate(own.map((result) => end(result).exactMatch)),
    tokensToBaseline: estimate(pairs.map(({ tokens }) => tokens)),
    reached: pairs.filter(({ reached }) => reached).length,
    paired:
      isBaseline || pairs.length === 0
        ? null
        : {
            reward: differences(({ reward }) => reward),
            exactMatch: differences(({ exactMatch }) => exactMatch),
            onTheWay: estimate(
              pairs.map(({ result, reference }) => {
                const both = Math.min(end(result).tokens, end(reference).tokens);
                return meanUpTo(both, result.curve) - meanUpTo(both, reference.curve);
              }),
            ),
            tokensSaved: estimate(
              pairs
                .filter(({ referenceTokens }) => referenceTokens > 0)
                .map(({ tokens, referenceTokens }) => 1 - tokens / referenceTokens),
            ),
          },
    generatedTokens: estimate(own.map(({ generatedTokens }) => generatedTokens)),
    steps: estimate(own.map(({ steps }) => steps)),
    zeroVariance: estimate(own.map(({ zeroVariance }) => zeroVariance)),
  };
}

/** Tokens that a run, and its reference, took to the reference's final reward. */
function race(
  result: ExperimentRunResult,
  reference: ExperimentRunResult,
): { readonly tokens: number; readonly reached: boolean; readonly referenceTokens: number } {
  const goal = end(reference).reward;
  const tokens = tokensTo(goal, result.curve);
  return {
    tokens: tokens ?? end(result).tokens,
    reached: tokens !== null,
    // It reaches its own end at the latest.
    referenceTokens: tokensTo(goal, reference.curve) ?? end(reference).tokens,
  };
}

/** Where a curve first reaches a reward, taken to be straight between evaluations; null where it never does. */
export function tokensTo(goal: number, curve: readonly CurvePoint[]): number | null {
  const index = curve.findIndex(({ reward }) => reward >= goal);
  const [left, right] = [curve[index - 1], curve[index]];
  if (right === undefined) return null;
  if (left === undefined) return right.tokens;
  const share = (goal - left.reward) / (right.reward - left.reward);
  return left.tokens + (right.tokens - left.tokens) * share;
}

/** The mean reward of a curve from its first evaluation to some number of tokens, taken to be straight between evaluations. */
export function meanUpTo(tokens: number, curve: readonly CurvePoint[]): number {
  const [first] = curve;
  if (first === undefined || tokens <= first.tokens) return first?.reward ?? Number.NaN;
  const area = curve.slice(1).reduce((sum, right, index) => {
    const left = curve[index] ?? right;
    const width = Math.min(right.tokens, tokens) - left.tokens;
    if (width <= 0) return sum;
    const share = width / (right.tokens - left.tokens);
    return sum + width * (left.reward + (share * (right.reward - left.reward)) / 2);
  }, 0);
  return area / (tokens - first.tokens);
}

function end({ curve }: ExperimentRunResult): CurvePoint {
  return curve.at(-1) ?? { tokens: 0, reward: Number.NaN, exactMatch: Number.NaN };
}

function estimate(values: readonly number[]): Estimate {
  const { y, low, high, n } = meanAt(0, values);
  return { mean: y, low, high, n };
}
