import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { PolicyEngine } from '../contracts/policy.ts';
import { createPolicyEngine } from '../policy/engine/create-policy-engine.ts';
import { createTinkerEngine } from '../tinker/create-tinker-engine.ts';
import type { EngineMachine } from './dependencies.ts';

/** A worker's policy engine; there is one at a time, as activities of the accelerator run one at a time. */
export interface PolicyEngines {
  /** The engine on this device with so many threads (0: all cores), or at this service; another one, for another run, is closed. */
  on(machine: EngineMachine): Promise<PolicyEngine>;
  close(): Promise<void>;
}

/** @param tinkerApiKey The key of training services; goes to no other place than their requests. */
export function policyEngines(artifacts: ArtifactStore, tinkerApiKey?: string): PolicyEngines {
  let current: { readonly opened: string; readonly engine: PolicyEngine } | null = null;
  const open = (machine: EngineMachine): PolicyEngine => {
    if (machine.backend === 'onnx') {
      const { threads, device } = machine;
      return createPolicyEngine({ artifacts, threads, device });
    }
    const { tinkerBaseUrl: baseUrl, baseModel, tinkerReduction: reduction } = machine;
    return createTinkerEngine({ artifacts, baseUrl, baseModel, reduction, apiKey: tinkerApiKey });
  };
  return {
    async on(machine) {
      const opened = openedFor(machine);
      if (current !== null && current.opened !== opened) {
        const { engine } = current;
        current = null;
        await engine.close();
      }
      current ??= { opened, engine: open(machine) };
      return current.engine;
    },
    async close() {
      await current?.engine.close();
      current = null;
    },
  };
}

/** Runs for which this is the same share an engine. */
function openedFor(machine: EngineMachine): string {
  if (machine.backend === 'onnx') return JSON.stringify([machine.threads, machine.device]);
  const { tinkerBaseUrl, baseModel, tinkerReduction } = machine;
  return JSON.stringify([tinkerBaseUrl, baseModel, tinkerReduction]);
}
