import { describe, expect, test } from 'vitest';
import type { DemonstrationNoise } from '../../contracts/config.ts';
import type { ToolCall } from '../../contracts/sample.ts';
import { CARELESS, demonstration, NO_NOISE } from '../../datasets/builtin/demonstrations.ts';
import type { BuiltinDemonstration } from '../../datasets/builtin/demonstrations.ts';

/** An independent reading of ToolRL's form. */
function parse(groundTruth: string): ToolCall[] {
  const body = /^<think>.*?<\/think>\n<tool_call>\n(.*?)\n<\/tool_call>$/su.exec(groundTruth)?.[1];
  if (body === undefined) throw new Error(`not in ToolRL's form: ${groundTruth}`);
  return body.split('\n').map((line) => JSON.parse(line) as ToolCall);
}

function demonstrations(
  noise: Partial<DemonstrationNoise>,
  levels: readonly number[],
  n = 4000,
): BuiltinDemonstration[] {
  return Array.from({ length: n }, (_, index) =>
    demonstration({ seed: 9, index, levels, noise: { ...NO_NOISE, ...noise } }),
  );
}

/** The share of hits is within four standard errors of p. */
function expectShare(hits: readonly boolean[], p: number): void {
  const share = hits.filter(Boolean).length / hits.length;
  expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / hits.length));
}

describe('demonstration', () => {
  test('without noise is the ground truth', () => {
    for (const { sample, completion } of demonstrations(NO_NOISE, [0, 1, 2, 3, 4], 500)) {
      expect(completion).toBe(sample.groundTruth);
    }
  });

  test('draws levels evenly', () => {
    const levels = demonstrations(NO_NOISE, [0, 2, 3], 3000).map(({ sample }) => sample.level);
    for (const level of [0, 2, 3]) {
      const share = levels.filter((l) => l === level).length / levels.length;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.03);
    }
  });

  test('spoils each kind of thing as often as asked', () => {
    const broken = demonstrations({ brokenFormat: CARELESS.brokenFormat }, [1]);
    expectShare(
      broken.map(({ sample, completion }) => completion !== sample.groundTruth),
      CARELESS.brokenFormat,
    );
    for (const { sample, completion } of broken) {
      if (completion !== sample.groundTruth) expect(() => parse(completion)).toThrow();
    }

    const dropped = demonstrations({ droppedCall: CARELESS.droppedCall }, [3]);
    expectShare(
      dropped.map(({ completion }) => parse(completion).length === 1),
      CARELESS.droppedCall,
    );

    const missing = demonstrations({ missingParameter: CARELESS.missingParameter }, [0, 1, 2]);
    expectShare(
      missing.map(
        ({ sample, completion }) =>
          Object.keys(parse(completion)[0]?.parameters ?? {}).length <
          Object.keys(sample.calls[0]?.parameters ?? {}).length,
      ),
      CARELESS.missingParameter,
    );

    const wrong = demonstrations({ wrongTool: CARELESS.wrongTool }, [1, 2]);
    expectShare(
      wrong.map(({ sample, completion }) => parse(completion)[0]?.name !== sample.calls[0]?.name),
      CARELESS.wrongTool,
    );

    const raw = demonstrations({ rawValue: CARELESS.rawValue }, [2]);
    const numbers = raw.flatMap(({ sample, completion }) => {
      const said = parse(completion)[0]?.parameters ?? {};
      return Object.entries(sample.calls[0]?.parameters ?? {})
        .filter(([, value]) => typeof value === 'number')
        .map(([key]) => typeof said[key] === 'string');
    });
    expectShare(numbers, CARELESS.rawValue);
  });

  test('depends on its key alone', () => {
    const key = { seed: 4, index: 77, levels: [0, 1, 2, 3], noise: CARELESS };
    const first = demonstration(key);
    demonstration({ ...key, index: 78 });
    expect(demonstration(key)).toStrictEqual(first);
  });
});
