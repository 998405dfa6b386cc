import { describe, expect, test } from 'vitest';
import { permuted } from '../../dscl/permutation.ts';
import { drawProposals, envelope, evenDraw, type ProposalRule } from '../../dscl/proposals.ts';
import { chances } from '../../dscl/selection.ts';
import { chiSquare } from '../../bench/chi-square.ts';

const start = (seed: number, epoch: number) =>
  Array.from({ length: 20 }, (_, place) => permuted(seed, epoch, 1000, place)).join(' ');

describe('permuted', () => {
  test.each([1, 2, 3, 37, 64, 500])('%i places: each once', (size) => {
    const places = Array.from({ length: size }, (_, place) => permuted(5, 2, size, place));
    expect(places.toSorted((a, b) => a - b)).toEqual(places.map((_, place) => place));
  });

  test('epochs and seeds have orders of their own', () => {
    expect(new Set([start(1, 1), start(1, 2), start(2, 1), start(2, 2)]).size).toBe(4);
  });

  test('over the epochs every sample comes to every place equally often, and any two of them', () => {
    const size = 11;
    const first = Array.from({ length: size }, () => 0);
    const pairs = Array.from({ length: size * size }, () => 0);
    const epochs = 2_200;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const [a, b] = [permuted(7, epoch, size, 0), permuted(7, epoch, size, 1)];
      first[a]!++;
      pairs[a * size + b]!++;
    }
    expect(
      chiSquare(
        first,
        Array.from({ length: size }, () => 1 / size),
      ).probability,
    ).toBeGreaterThan(0.001);
    const different = pairs.filter((_, pair) => Math.floor(pair / size) !== pair % size);
    const share = 1 / (size * (size - 1));
    expect(
      chiSquare(
        different,
        different.map(() => share),
      ).probability,
    ).toBeGreaterThan(0.001);
  });
});

describe('proposals', () => {
  const importances = [1, 0.5, 0.25, 0.25, 0.04, 0.01, 0.01, 0, 0, 0];
  const total = importances.reduce((sum, each) => sum + each, 0);

  /** Draws, from all importances. */
  function drawn(rule: ProposalRule, count: number): number[] {
    const byImportance = drawProposals(rule, 0, 8 * count).flatMap((proposal) => {
      let before = 0;
      const found = importances.findIndex((each) => (before += each) > proposal.position * total);
      const ordinal = proposal.ordinal ?? found;
      return proposal.threshold < rule.envelope.taken(importances[ordinal] ?? 0) ? [ordinal] : [];
    });
    return Array.from(
      { length: count },
      (__, draw) => evenDraw(rule, draw) ?? byImportance.shift() ?? -1,
    );
  }

  test.each([
    { temperature: 1, uniformShare: 0.1 },
    { temperature: 1, uniformShare: 0 },
    { temperature: 0.5, uniformShare: 0.1 },
    { temperature: 0.2, uniformShare: 0 },
    { temperature: 3, uniformShare: 0.1 },
    { temperature: 1.5, uniformShare: 0.5 },
  ])('are taken as often as p says: $temperature, $uniformShare', (options) => {
    const corpusSamples = importances.length;
    const rule: ProposalRule = {
      runSeed: 1,
      step: 3,
      corpusSamples,
      uniformShare: options.uniformShare,
      envelope: envelope(options.temperature, { corpusSamples, highest: 1, total }),
    };
    const counts = Array.from({ length: corpusSamples }, () => 0);
    for (const ordinal of drawn(rule, 3_000)) counts[ordinal]!++;
    expect(
      chiSquare(counts, chances(importances, options).probabilities).probability,
    ).toBeGreaterThan(0.001);
  });

  test('how many are drawn at a time changes nothing', () => {
    const rule: ProposalRule = {
      runSeed: 1,
      step: 3,
      corpusSamples: 10,
      uniformShare: 0.3,
      envelope: envelope(2, { corpusSamples: 10, highest: 1, total }),
    };
    expect([...drawProposals(rule, 0, 7), ...drawProposals(rule, 7, 23)]).toEqual(
      drawProposals(rule, 0, 30),
    );
  });

  test('no importance left: evenly, all taken', () => {
    const { evenShare, taken } = envelope(0.5, { corpusSamples: 10, highest: 0, total: 0 });
    expect([evenShare, taken(0)]).toEqual([1, 1]);
  });
});
