import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { PolicyEngine } from '../contracts/policy.ts';
import { createPolicyEngine } from '../policy/engine/create-policy-engine.ts';
import type { EngineMachine } from './dependencies.ts';

/** A worker's policy engine; there is one at a time, as activities of the accelerator run one at a time. */
export interface PolicyEngines {
  /** The engine on this device with so many threads (0: all cores); another one, for another run, is closed. */
  on(machine: EngineMachine): Promise<PolicyEngine>;
  close(): Promise<void>;
}

export function policyEngines(artifacts: ArtifactStore): PolicyEngines {
  let current: (EngineMachine & { readonly engine: PolicyEngine }) | null = null;
  return {
    async on({ threads, device }) {
      if (current !== null && (current.threads !== threads || current.device !== device)) {
        const { engine } = current;
        current = null;
        await engine.close();
      }
      current ??= {
        threads,
        device,
        engine: createPolicyEngine({ artifacts, threads, device }),
      };
      return current.engine;
    },
    async close() {
      await current?.engine.close();
      current = null;
    },
  };
}
