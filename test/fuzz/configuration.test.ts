import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { RunConfigInput } from '../../contracts/config.ts';
import { changedConfig } from '../../services/configuration/change.ts';
import { loadConfigFile } from '../../services/configuration/file.ts';
import { canonicalFlags, flagsFromSchema } from '../../services/configuration/flags.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { defaultConfig, resolveConfig } from '../../services/configuration/resolve.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import { broken, hostileText, hostileValue, nested, nestedText } from './support/hostile-json.ts';
import { refusing } from './support/typed-errors.ts';

const CODES = ['config'] as const;
const VALID = { ...defaultConfig(), warmStart: [{ data: 'builtin', steps: 3 }] };
const NAMES = [
  'seed',
  'warm_start',
  'sampling',
  'rollout.n',
  'lr',
  'actor',
  'level_mix',
  '-',
  '<<',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-fuzz-config-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function load(text: string | Uint8Array): Promise<unknown> {
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  return refusing(CODES, async () => inTime(async () => loadConfigFile(path)));
}

/** A configuration with a section within a section within … */
function deepSections(levels: number, name: string): RunConfigInput {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { [name]: value };
  return value as RunConfigInput;
}

describe('configurations', { timeout: FUZZ_TIMEOUT }, () => {
  it('are resolved or refused, whatever they hold', async () => {
    const input = fc.oneof(
      broken(VALID),
      fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), hostileText()), hostileValue()),
    );
    await fuzz(
      input,
      async (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
        await refusing(CODES, async () => inTime(() => resolveConfig(value as RunConfigInput)));
      },
      0.3,
    );
  });

  it('of forks are taken apart and changed or refused, whatever they hold', async () => {
    const valid = { fork: { run: 'r', step: 3, by: 'ada' }, lr: 1e-5, sampling: { ablate: [] } };
    const input = fc.oneof(
      broken(valid),
      fc.record({ fork: hostileValue() }),
      fc.dictionary(fc.oneof(fc.constantFrom('fork', ...NAMES), hostileText()), hostileValue()),
    );
    await fuzz(
      input,
      async (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
        await refusing(CODES, async () =>
          inTime(() => {
            const fork = forkInput(value as RunConfigInput);
            return fork === null ? null : changedConfig(defaultConfig(), fork.settings, 'fork');
          }),
        );
      },
      0.3,
    );
  });

  it('are read from files or refused, whatever the text is', async () => {
    const yaml = fc
      .array(
        fc.oneof(
          hostileText(),
          fc.constantFrom(...NAMES),
          fc.constantFrom(': ', '\n', '\n  ', '- ', '[', ']', '{', '}', '&a ', '*a', '!!set ', ','),
          fc.constantFrom(
            '"',
            "'",
            '|\n',
            '>-\n',
            '#',
            '%YAML 1.1\n---\n',
            '? ',
            '<<: *a',
            '0x',
            '~',
          ),
        ),
        { maxLength: 40 },
      )
      .map((parts) => parts.join(''));
    const written = broken({ seed: 1, warm_start: [{ steps: 2 }], sampling: { ablate: [] } }).map(
      (value) => {
        try {
          return stringify(value);
        } catch {
          return JSON.stringify(nested(10));
        }
      },
    );
    await fuzz(
      fc.oneof(yaml, written, fc.uint8Array({ maxLength: 200 })),
      async (text) => {
        await load(text);
      },
      0.5,
    );
  });

  it('are refused when they nest deep, also where no file is between', async () => {
    const texts = [
      nestedText(30_000),
      `seed: ${nestedText(30_000)}`,
      '{"a":'.repeat(10_000),
      `seed: ${'- '.repeat(30_000)}`,
      '- '.repeat(30_000),
      '? '.repeat(30_000),
      Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
    ];
    for (const text of texts) {
      await expect(load(text)).resolves.toBeUndefined();
    }
    for (const name of ['-', 'sampling', 'warmStart']) {
      expect(() => resolveConfig(deepSections(50_000, name))).toThrow(
        expect.objectContaining({ code: 'config' }),
      );
    }
    const phase = { warmStart: [deepSections(50_000, 'x')] };
    expect(() => resolveConfig(phase)).toThrow(expect.objectContaining({ code: 'config' }));
    expect(() => resolveConfig({ seed: nested(100_000) })).toThrow(
      expect.objectContaining({ code: 'config' }),
    );
  });

  it('are refused with objects that cannot be compared with a number', () => {
    const odd = { toString: null, valueOf: null };
    for (const input of [{ levelMix: { length: [odd] } }, { maxPromptLength: [odd] }]) {
      expect(() => resolveConfig(input)).toThrow(expect.objectContaining({ code: 'config' }));
    }
  });

  it('are refused in little time when a name is very long, or there are very many', async () => {
    const names = ['q'.repeat(1_000_000), 'num_generations'.repeat(50_000)];
    for (const name of names) {
      await expect(
        refusing(CODES, async () => inTime(() => resolveConfig({ [name]: 1 }))),
      ).resolves.toBeUndefined();
    }
    const lines = Array.from({ length: 8000 }, (_, index) => `a${index}: 1`).join('\n');
    await expect(load(lines)).resolves.toBeUndefined();
    await expect(load('seed: 1\n'.repeat(100_000))).resolves.toBeUndefined();
  });

  it('are refused from a device that never ends, and from a folder', async () => {
    for (const path of ['/dev/zero', folder]) {
      await expect(loadConfigFile(path)).rejects.toMatchObject({ code: 'config' });
    }
  });

  it('are read from flags, whatever their arguments are', async () => {
    const flags = flagsFromSchema();
    const argument = fc.record({
      flag: fc.constantFrom(...flags),
      text: fc.oneof(hostileText(), fc.constantFrom('1e999', '-0', '0x10', ' ', ',,', 'true')),
    });
    await fuzz(argument, async ({ flag, text }) => {
      const argv = [`${flag.flag}=${text}`, text, `--${text}`];
      await refusing(CODES, () => canonicalFlags(argv, new Set()));
      await refusing(CODES, () => resolveConfig({ [flag.path]: flag.parse(text) }));
    });
  });
});
