import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { deviceEvent } from '../../activities/record-device.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { openDevice } from '../../policy/graph/devices.ts';

import type { Placement } from '../../policy/graph/placement.ts';
import { serialize } from '../../policy/graph/serialize.ts';
import { onCpu, type Session } from '../../policy/graph/session.ts';
import { webgpuForms } from '../../policy/graph/webgpu-forms.ts';
import { buildGrpoGraph } from '../../policy/training/grpo-loss.ts';
import {
  computeOn,
  grpoGradients,
  trainingOn,
  type Computed,
} from './support/device-computation.ts';

type ChildAnswer =
  | { readonly unavailable: string }
  | { readonly computed: Computed; readonly placements: { readonly [graph: string]: Placement } };

const CHILD = fileURLToPath(new URL('./support/webgpu-child.ts', import.meta.url));
/** Debian's Chromium brings a Vulkan driver in software. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What the child printed. The driver is named in its environment: the loader looks there when the first session is opened. */
async function askChild(environment: NodeJS.ProcessEnv): Promise<ChildAnswer> {
  const options = { env: { ...process.env, ...environment }, maxBuffer: 2 ** 26, timeout: 110_000 };
  const flags = ['--import', 'tsx', CHILD];
  const { stdout } = await promisify(execFile)(process.execPath, flags, options);
  return JSON.parse(stdout) as ChildAnswer;
}

async function onWebgpu(): Promise<ChildAnswer> {
  const answer = await askChild({});
  const again = 'unavailable' in answer && process.env['VK_ICD_FILENAMES'] === undefined;
  return again && existsSync(SWIFTSHADER) ? askChild({ VK_ICD_FILENAMES: SWIFTSHADER }) : answer;
}

/** The largest difference, relative to the largest number of its kind. */
function differences(computed: Computed, expected: Computed): { [what: string]: number } {
  return Object.fromEntries(
    Object.entries(expected).map(([what, values]) => {
      const largest = Math.max(...values.map(Math.abs));
      expect(computed[what]).toHaveLength(values.length);
      const difference = values.map((x, i) => Math.abs(x - (computed[what]?.[i] ?? Number.NaN)));
      return [what, Math.max(...difference) / largest];
    }),
  );
}

function expectClose(computed: Computed, expected: Computed, tolerance: number): void {
  expect(Object.keys(computed)).toEqual(Object.keys(expected));
  const apart = Object.entries(differences(computed, expected));
  expect(apart.filter(([, difference]) => !(difference <= tolerance))).toEqual([]);
}

const webgpu = await onWebgpu();
const missing = 'unavailable' in webgpu ? webgpu.unavailable : null;
if (missing !== null) console.warn(`WebGPU is not compared with the CPU: ${missing}`);

describe.skipIf(missing !== null)(`WebGPU (${missing ?? 'opens'})`, () => {
  const answer = 'unavailable' in webgpu ? { computed: {}, placements: {} } : webgpu;

  it('computes forward, backward, an optimiser step and completions as the CPU does', async () => {
    const expected = await computeOn(onCpu(1));
    expect(expected['tokens']?.length).toBeGreaterThan(5);
    expect(answer.computed['tokens']).toEqual(expected['tokens']);
    expectClose(answer.computed, expected, 1e-5);
  });

  it('says how much ran on the CPU instead: sizes that order a graph, and a few shapes', () => {
    const { grpo, adamw, chunked } = answer.placements;
    const sampling = [answer.placements['prefill.sampled'], answer.placements['decode.sampled']];
    expect(adamw).toEqual({ nodes: expect.any(Number), onCpu: 0 });
    for (const placement of sampling) expect(placement?.onCpu).toBe(0);
    expect(grpo?.nodes).toBeGreaterThan(200);
    expect(grpo?.onCpu).toBeLessThan(10);
    expect(chunked?.onCpu).toBeGreaterThan(0);
  });
});

describe('the forms for WebGPU', () => {
  it.each(['full', 'lora'] as const)('compute the same on the CPU (%s)', async (mode) => {
    const state = await trainingOn(mode, onCpu(1));
    const form = { recomputedLayers: 1, attentionParts: 2 };
    const graph = buildGrpoGraph(state.model, form);
    const lowered = webgpuForms(graph);
    const types = new Set(lowered.nodes.map(({ opType }) => opType));
    const replaced = ['FusedMatMul', 'LogSoftmax', 'ConstantOfShape'];
    expect(replaced.filter((type) => types.has(type))).toEqual([]);
    const compute = async (model: Uint8Array): Promise<Computed> => {
      const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
      state.gradients.data.fill(0);
      const run: Session['run'] = (feeds, fetches) => session.run(feeds, fetches);
      return grpoGradients(state, {
        kind: 'grpo',
        session: { run, release: () => session.release() },
        form,
        peak: 0,
      });
    };
    const expected = await compute(serialize(graph));
    expectClose(await compute(serialize(graph, lowered)), expected, 3e-6);
  });
});

describe('devices', () => {
  it('auto is CUDA where it opens, else the CPU', async () => {
    const cuda = await openDevice('cuda').catch((error: unknown) => error);
    expect(await openDevice('auto')).toBe(cuda === 'cuda' ? 'cuda' : 'cpu');
    if (cuda === 'cuda') return;
    expect(cuda).toBeInstanceOf(ToolsampleError);
    expect(cuda).toMatchObject({
      code: 'config',
      message: expect.stringMatching(
        /^field "device": cuda does not open: [^\n]+ — it takes [^\n]+--onnxruntime-node-install=cuda12/,
      ),
    });
  });

  it.runIf(process.platform === 'linux')('WebGPU says what it lacks', async () => {
    expect(await askChild({ VK_ICD_FILENAMES: '/nonexistent.json' })).toEqual({
      unavailable: expect.stringMatching(
        /^field "device": webgpu does not open: Failed to get a WebGPU adapter[^\n]+ — it takes [^\n]+VK_ICD_FILENAMES/,
      ),
    });
  });

  it('is one event of a run on the CPU, elsewhere one for each kind of work', () => {
    const cpu = { device: 'cpu', graphs: [] } as const;
    expect(deviceEvent(cpu, 'rollouts')).toEqual(deviceEvent(cpu, 'gradient steps'));
    expect(deviceEvent(cpu, 'rollouts')?.message).toBe('policy engine on cpu');
    const graphs = [
      { graph: 'decode.sampled', nodes: 67, onCpu: 0 },
      { graph: 'adamw', nodes: 17, onCpu: 0 },
      { graph: 'grpo', nodes: 349, onCpu: 3 },
    ];
    expect(deviceEvent({ device: 'webgpu', graphs }, 'gradient steps')).toEqual({
      event: 'device/webgpu/gradient-steps',
      kind: 'device',
      message:
        'policy engine on webgpu, gradient steps; graph nodes on the CPU: grpo 3 of 349, adamw 0 of 17',
      details: { device: 'webgpu', work: 'gradient steps', graphs: [graphs[2], graphs[1]] },
    });
    expect(deviceEvent({ device: 'webgpu', graphs: [] }, 'rollouts')).toBeNull();
  });
});
