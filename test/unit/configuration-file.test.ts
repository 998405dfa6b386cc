import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalFlags } from '../../services/configuration/flags.ts';
import { loadConfigFile } from '../../services/configuration/file.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function refusal(name: string, text: string): Promise<string> {
  const path = await file(name, text);
  const error: unknown = await loadConfigFile(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  const { message } = error as Error;
  expect(message).not.toContain('\n');
  expect(message.startsWith(path)).toBe(true);
  return message.slice(path.length);
}

describe('loadConfigFile', () => {
  it('reads YAML and JSON alike', async () => {
    const yaml = await file(
      'a.yaml',
      '# mine\nlr: 1e-4\nrollout:\n  n: 4\nwarm_start:\n  steps: 2\n',
    );
    const json = await file(
      'a.json',
      '{"lr":1e-4,\n\t"numGenerations":4,"warmStart":[{"steps":2}]}',
    );
    const resolved = resolveConfig(await loadConfigFile(yaml));
    expect(resolved).toMatchObject({ learningRate: 1e-4, numGenerations: 4 });
    expect(resolved.warmStart).toHaveLength(1);
    expect(resolveConfig(await loadConfigFile(json))).toEqual(resolved);
  });

  it('takes an empty file for no changes', async () => {
    expect(await loadConfigFile(await file('empty.yaml', '# nothing\n'))).toEqual({});
  });

  it('points at a syntax error', async () => {
    expect(await refusal('b.yaml', 'seed: 1\nrollout: [1,\nn: 2')).toMatch(
      /^, row 3: not valid YAML/,
    );
    expect(await refusal('b.json', '{"seed": 1,,}')).toMatch(
      /^, row 1: not valid JSON: .*column 12/,
    );
    expect(await refusal('c.yaml', 'seed: 1\nseed: 2')).toMatch(/^, row 2: .*unique/);
  });

  it('points at a wrong key or value', async () => {
    expect(await refusal('d.yaml', 'seed: 1\n\nnum_generation: 8\n')).toBe(
      ', row 3, field "num_generation": unknown key — did you mean num_generations?',
    );
    expect(await refusal('e.yaml', 'rollout:\n  n: 1\n')).toMatch(
      /^, row 2, field "rollout.n": must be an integer from 2/,
    );
    expect(await refusal('f.yaml', 'warm_start:\n  - steps: 3\n  - steps: 0\n')).toMatch(
      /^, row 3, field "warm_start\[1\].steps": must be/,
    );
  });

  it('refuses what is no configuration', async () => {
    expect(await refusal('g.yaml', '- 1\n')).toMatch(/^: holds no settings/);
    expect(await refusal('h.yaml', `# ${'x'.repeat(1_000_001)}`)).toMatch(/too many/);
    const bomb = ['a: &a [1,1,1,1,1,1,1,1,1]'];
    for (let i = 1; i < 9; i++) {
      const [from, to] = [String.fromCodePoint(96 + i), String.fromCodePoint(97 + i)];
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]`);
    }
    expect(await refusal('i.yaml', bomb.join('\n'))).toMatch(/alias/i);
    await expect(loadConfigFile(join(folder, 'none.yaml'))).rejects.toThrow(/no such file/);
  });
});

describe('canonicalFlags', () => {
  it('respells known flags and nothing else', () => {
    expect(
      canonicalFlags(
        ['train', '--num_generations=4', '--lr', '1', '--no-filterGroups', '--data', 'x', '--what'],
        new Set(),
      ),
    ).toEqual([
      'train',
      '--num-generations=4',
      '--learning-rate',
      '1',
      '--no-filter-groups',
      '--data',
      'x',
      '--what',
    ]);
    expect(canonicalFlags(['--', '--lr'], new Set())).toEqual(['--', '--lr']);
    expect(canonicalFlags(['--lr'], new Set(['lr']))).toEqual(['--lr']);
  });

  it('refuses a setting under two names, as a file is refused', () => {
    expect(() => canonicalFlags(['--num-generations', '8', '--rollout.n=4'], new Set())).toThrow(
      'field "--rollout.n": "--num-generations" and "--rollout.n" name the same setting — keep one of them',
    );
    expect(() => canonicalFlags(['--no-filter_groups', '--filter-groups'], new Set())).toThrow(
      'name the same setting',
    );
    const own = ['--sampler', 'a', '--lr', '1', '--lr', '2', '--', '--learning-rate'];
    expect(canonicalFlags(own, new Set(['sampler']))).toHaveLength(own.length);
  });
});
