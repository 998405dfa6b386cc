import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../program.ts';

let folder: string;
beforeAll(async () => {
  // The real path without spaces is too easy.
  folder = await mkdtemp(join(tmpdir(), 'toolsample cli '));
  await symlink(PROGRAM, join(folder, 'linked'));
  await writeFile(join(folder, 'tsconfig.json'), '{ not JSON at all');
  await writeFile(join(folder, 'bad.yaml'), 'seed: 1\nrollout:\n  n: 1\n');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function toolsample(args: readonly string[], program = PROGRAM): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { cwd: folder }, (error, out, err) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, out, err });
    });
  });
}

describe('toolsample', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['an unknown command', ['trian'], /unknown command 'trian' \(Did you mean train\?\)/],
    [
      'an unknown flag',
      ['train', '--num-generation', '4'],
      /unknown option '--num-generation' \(Did you mean --num-generations\?\)/,
    ],
    [
      'a value out of range',
      ['train', '--num_generations=1'],
      /field "num-generations": must be an integer from 2 to 1,024, not 1/,
    ],
    [
      'a value of the wrong kind',
      ['train', '--lr', 'fast'],
      /must be a number from 0 to 1, not "fast"/,
    ],
    [
      'a setting under two names',
      ['train', '--lr', '1e-5', '--learning-rate', '1e-4'],
      /^error: field "--learning-rate": "--lr" and "--learning-rate" name the same setting — keep/,
    ],
    ['a value out of range, by its other name', ['train', '--eval-every', '0'], /"eval-schedule"/],
    [
      'an unknown form of export',
      ['export', 'latest', 'out', '--format', 'gguf'],
      /argument 'gguf' is invalid\. Allowed choices are hf, peft/,
    ],
    [
      'a time that no timer knows',
      ['serve', '--request-timeout', '3000000'],
      /Give whole seconds, 1 to 2000000/,
    ],
    ['a wrong choice', ['train', '--sampler', 'ppo'], /must be one of uniform, dscl/],
    [
      'a wrong line of a file',
      ['train', '--config', 'bad.yaml'],
      /bad\.yaml, row 3, field "rollout\.n": must be/,
    ],
    ['an absent file', ['train', '--config', 'none.yaml'], /none\.yaml: no such file/],
    ['an absent argument', ['status'], /missing required argument 'run'/],
    ['too many arguments', ['runs', 'x'], /too many arguments/],
    ['an absent option', ['rollouts', 'x'], /required option '--step <n>'/],
    ['data of no format', ['data', 'convert', 'bad.yaml', 'out'], /bad\.yaml: is not JSON/],
    ['a share that is none', ['data', 'split', 'a', 'b', 'c', '--share', '1'], /between 0 and 1/],
    ['a step that is none', ['rollouts', 'x', '--step', '0'], /Steps count from 1/],
    [
      'a setting without a value',
      ['fork', 'x@1', '--set', 'lr'],
      /"lr" is not of the form key=value/,
    ],
    [
      'a setting that is none',
      ['fork', 'x', '--set', 'lerning_rate=1'],
      /did you mean learning_rate/,
    ],
    [
      'a comparison without a budget',
      ['compare', '--sampler', 'dscl'],
      /--tokens.*how many tokens a run generates is missing/,
    ],
    [
      'an unknown sampler of several',
      ['compare', '--tokens', '9,000', '--sampler', 'dscl,ppo'],
      /field "--sampler": must be one of uniform, .*, difficulty, not "ppo"/,
    ],
    [
      'a budget that is no number',
      ['compare', '--tokens', 'abc'],
      /field "--tokens": must be a number, not "abc"/,
    ],
    [
      'settings of an unknown sampler',
      ['compare', '--tokens', '9,000', '--tuned', 'ppo:lr=1'],
      /field "--tuned": must be one of uniform, .*, difficulty, not "ppo"/,
    ],
    [
      'a setting that an experiment decides',
      ['compare', '--tokens', '9,000', '--seed', '3'],
      /field "seed": is decided by the experiment/,
    ],
    ['an unknown queue', ['worker', '--task-queue', 'cpu'], /Allowed choices are light, gpu, all/],
    ['metrics nowhere', ['worker', '--metrics', 'localhost:9464'], /an IP address and a port/],
    [
      'metrics of a run nowhere',
      ['train', '--metrics', 'localhost:9464'],
      /an IP address and a port/,
    ],
    ['metrics on no port', ['worker', '--metrics', '[::1]:70000'], /Ports are 1 to 65535/],
  ])('refuses %s in one line, with exit code 2', async (_what, args, message) => {
    const { code, out, err } = await toolsample(args);
    expect(err).toMatch(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    // A mistake on the command line must not leave a data folder behind.
    expect(await readdir(folder)).not.toContain('.toolsample');
  });

  it('lists its commands through a symbolic link, from anywhere', async () => {
    const { code, out } = await toolsample(['--help'], join(folder, 'linked'));
    expect(code).toBe(0);
    for (const command of [
      'train',
      'resume',
      'fork',
      'runs',
      'status',
      'rollouts',
      'sql',
      'up',
      'down',
    ])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it('lists every key of the configuration', async () => {
    const { code, out } = await toolsample(['train', '--help']);
    expect(code).toBe(0);
    for (const flag of ['--num-generations', '--sampling-hard-threshold', '--warm-start-steps'])
      expect(out).toContain(flag);
  });

  it('lists what a comparison takes, and not what it refuses', async () => {
    const { out } = await toolsample(['compare', '--help']);
    for (const flag of ['--sampler ', '--num-generations ']) expect(out).toContain(flag);
    for (const flag of ['--seed ', '--max-steps ', '--sampling-ablate ', '--filter-groups '])
      expect(out).not.toContain(flag);
  });

  it('prints help and fails when it is not told what to do', async () => {
    const { code, err } = await toolsample([]);
    expect(code).toBe(2);
    expect(err).toContain('Usage: toolsample');
  });
});
