import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { PolicyEngine } from '../contracts/policy.ts';
import { createPolicyEngine } from '../policy/engine/create-policy-engine.ts';

/** A worker's policy engine; there is one at a time, as activities of the accelerator run one at a time. */
export interface PolicyEngines {
  /** The engine with so many threads (0: all cores); one with another number, for another run, is closed. */
  withThreads(threads: number): Promise<PolicyEngine>;
  close(): Promise<void>;
}

export function policyEngines(artifacts: ArtifactStore): PolicyEngines {
  let current: { readonly threads: number; readonly engine: PolicyEngine } | null = null;
  return {
    async withThreads(threads) {
      if (current !== null && current.threads !== threads) {
        const { engine } = current;
        current = null;
        await engine.close();
      }
      current ??= { threads, engine: createPolicyEngine({ artifacts, threads }) };
      return current.engine;
    },
    async close() {
      await current?.engine.close();
      current = null;
    },
  };
}
