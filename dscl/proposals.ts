import type { Proposal } from '../contracts/large-corpus.ts';
import type { SamplingOptions } from '../contracts/sampling.ts';
import { uniformPair } from './seeded-draw.ts';

/*
 * Picking without going through a corpus: draws with replacement from p, of which those that came before are passed over. That is
 * drawing without replacement, one after the other, as the Gumbel draw of selection.ts is. p itself is a mixture: with probability ε any
 * sample, else one by Ĩ^{1/τ}; for that, samples are proposed by something that can be summed up, until one is taken.
 */

/** How samples are drawn and proposed. */
export interface ProposalRule {
  readonly runSeed: number;
  readonly step: number;
  readonly corpusSamples: number;
  /** ε. */
  readonly uniformShare: number;
  readonly envelope: Envelope;
}

/** A density of proposals that, times a constant, is nowhere below Ĩ^{1/τ}. */
export interface Envelope {
  /** Share of the proposals that is drawn evenly; the rest by Ĩ. */
  readonly evenShare: number;
  /** Probability to take a proposed sample of that Ĩ. */
  readonly taken: (importance: number) => number;
}

/**
 * τ = 1: Ĩ itself. τ < 1: Ĩ, taken with (Ĩ/highest)^{1/τ − 1}. τ > 1: Ĩ^{1/τ} is concave, and its tangent at the mean lies above it: an
 * even part and a part by Ĩ.
 */
export function envelope(
  temperature: SamplingOptions['temperature'],
  totals: { readonly corpusSamples: number; readonly highest: number; readonly total: number },
): Envelope {
  const { corpusSamples, highest, total } = totals;
  // Nothing left of any importance: every sample is equally likely.
  if (total === 0) return { evenShare: 1, taken: () => 1 };
  const exponent = 1 / temperature;
  if (exponent === 1) return { evenShare: 0, taken: (importance) => (importance > 0 ? 1 : 0) };
  if (exponent > 1) {
    return { evenShare: 0, taken: (importance) => (importance / highest) ** (exponent - 1) };
  }
  const mean = total / corpusSamples;
  const even = (1 - exponent) * mean ** exponent;
  const slope = exponent * mean ** (exponent - 1);
  return {
    evenShare: (even * corpusSamples) / (even * corpusSamples + slope * total),
    taken: (importance) => importance ** exponent / (even + slope * importance),
  };
}

/** The place in the corpus of a step's draw of that number, from 0, if it is for any sample; null: it is by importance. */
export function evenDraw(rule: ProposalRule, number: number): number | null {
  const [mixture, place] = uniformPair(rule.runSeed, rule.step, 'draw', number);
  return mixture < rule.uniformShare ? Math.floor(place * rule.corpusSamples) : null;
}

/** A proposal, and what it takes. */
export interface DrawnProposal extends Proposal {
  /** Taken when less than the envelope says. */
  readonly threshold: number;
}

/** The proposals `from` … `from + count − 1` of a step, for the draws by importance one after the other. */
export function drawProposals(rule: ProposalRule, from: number, count: number): DrawnProposal[] {
  const { evenShare } = rule.envelope;
  return Array.from({ length: count }, (_, index) => {
    const [position, second] = uniformPair(rule.runSeed, rule.step, 'proposal', from + index);
    // One number serves twice: within its share it is uniform again.
    const even = second < evenShare;
    return {
      ordinal: even ? Math.floor(position * rule.corpusSamples) : null,
      position,
      threshold: even ? second / evenShare : (second - evenShare) / (1 - evenShare),
    };
  });
}
