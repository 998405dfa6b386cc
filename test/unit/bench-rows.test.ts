import { expect, test } from 'vitest';
import {
  comparedRows,
  missesBar,
  phaseShares,
  type ComparedWork,
  type PeerOutcome,
  type Round,
} from '../../bench/compared-rows.ts';
import { microBatchRows } from '../../bench/peer-plans.ts';
import { barText, resultTable } from '../../bench/report.ts';
import { simpleRow } from '../../bench/row.ts';

const work: ComparedWork = {
  work: 'sampling',
  model: 'tiny',
  unit: 'tokens/s',
  shareBar: 0.8,
  repeats: 3,
};
const fp32: PeerOutcome = { name: 'HF fp32', bar: 5, failure: null };

/** 100 tokens in so many seconds; the peer 10 tokens in so many. */
function round(seconds: number, peerSeconds: number | null, roofline = 100): Round {
  return {
    product: { seconds, tokens: 100, flops: 50e9 * seconds, phases: {}, note: '' },
    roofline,
    peers: [peerSeconds === null ? null : { seconds: peerSeconds, tokens: 10 }],
  };
}

test('rates are medians, and the ratio is that of the rounds: other load slows both sides of one', () => {
  // The machine is half as fast in the second round.
  const [row] = comparedRows(work, [fp32], [round(1, 1), round(2, 2), round(1, 2)]);
  expect(row).toMatchObject({ value: 100, peer: 5, ratio: 10, repeats: 3, against: 'HF fp32' });
  expect(row?.share).toBeCloseTo(0.5);
  expect(row?.limit).toBeCloseTo(200);
  expect(row?.note).toBe('');
});

test('in seconds, less is faster, for the ratio and for the limit', () => {
  const [row] = comparedRows({ ...work, unit: 's' }, [fp32], [round(2, 12)]);
  expect(row).toMatchObject({ value: 2, peer: 12, ratio: 6, note: '1 of 3 rounds: time limit' });
  expect(row?.limit).toBeCloseTo(1);
});

test('bars: the share in the first row, the ratio in its own; what was not measured is neither met nor missed', () => {
  const away: PeerOutcome = { name: 'HF bf16', bar: 4, failure: 'python3 lacks torch' };
  const both = round(1, 1);
  const rows = comparedRows(work, [fp32, away], [{ ...both, peers: [...both.peers, null] }]);
  expect(rows.map(({ bars }) => bars)).toEqual([
    [
      { of: 'share', least: 0.8, met: false },
      { of: 'ratio', least: 5, met: true },
    ],
    [{ of: 'ratio', least: 4, met: null }],
  ]);
  expect(rows[1]).toMatchObject({ peer: null, ratio: null, value: 100 });
  expect(rows[1]?.note).toContain('HF bf16: python3 lacks torch');
  expect(rows.map(missesBar)).toEqual([true, false]);
});

test('a peer that gave up halfway counts with the rounds it made, and says why', () => {
  const tired: PeerOutcome = { ...fp32, failure: 'the peer ended' };
  const [row] = comparedRows(work, [tired], [round(1, 1), round(4, null), round(4, null)]);
  expect(row).toMatchObject({ value: 25, peer: 10, ratio: 10, note: 'HF fp32: the peer ended' });
});

test('a remark on the work is said once', () => {
  const plain = round(1, 1);
  const short = {
    ...plain,
    product: { ...plain.product, note: '1 of 64 completions ended early' },
  };
  const [row] = comparedRows(work, [fp32], [plain, short, short]);
  expect(row?.note).toBe('1 of 64 completions ended early');
});

test('without peers there is one row', () => {
  const rows = comparedRows({ ...work, shareBar: null }, [], [{ ...round(1, null), peers: [] }]);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ against: null, ratio: null, bars: [] });
});

test('shares of phases', () => {
  const phased = (sampling: number, gradient: number): Round => ({
    ...round(10, 1),
    product: { seconds: 10, tokens: 1, flops: 1, phases: { sampling, gradient }, note: '' },
  });
  expect(phaseShares([phased(6, 3), phased(4, 5), phased(5, 4)])).toBe(
    'sampling 50%, gradient 40%',
  );
  expect(phaseShares([round(1, 1)])).toBe('');
});

test('the table shows bars, and remarks under the number of their row', () => {
  const lines = resultTable([
    simpleRow({ work: 'MatMul', model: '', value: 150, unit: 'GFLOP/s' }),
    simpleRow({
      work: 'sampling',
      model: 'tiny',
      value: 40,
      unit: 'tokens/s',
      against: 'HF fp32',
      bars: [{ of: 'ratio', least: 5, met: null }],
      profile: 'operators: MatMul 90%',
      note: 'HF fp32: not wanted',
    }),
  ]);
  expect(lines.find((line) => line.includes('sampling'))).toMatch(/–.*HF fp32.*≥ 5× not measured/);
  expect(lines.slice(-2)).toEqual(['2: HF fp32: not wanted', '2: operators: MatMul 90%']);
  expect(barText({ of: 'share', least: 0.85, met: true })).toBe('share ≥ 85% met');
  expect(barText({ of: 'ratio', least: 3.5, met: false })).toBe('≥ 3.5× missed');
});

test('micro-batches of a peer divide its rows evenly, and hold one row at least', () => {
  expect(microBatchRows(64, 846, 2048)).toBe(2);
  expect(microBatchRows(64, 400, 2048)).toBe(4);
  expect(microBatchRows(64, 4000, 2048)).toBe(1);
  expect(microBatchRows(6, 10, 2048)).toBe(6);
});
