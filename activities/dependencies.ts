import type { ArtifactRef, ArtifactStore } from '../contracts/artifacts.ts';
import type { PolicyEngine, PolicyText } from '../contracts/policy.ts';
import type { RunConfig } from '../contracts/config.ts';
import type { Database } from '../db/connection.ts';

/** What an engine is opened for: a run's own settings, or this machine alone. */
export type EngineMachine = Pick<RunConfig, 'threads' | 'device'> &
  (
    | Pick<RunConfig, 'backend' | 'tinkerBaseUrl' | 'baseModel' | 'tinkerReduction'>
    | { readonly backend: 'onnx' }
  );

/** What activities work with; made once by the worker and handed to each of them. */
export interface ActivityDependencies {
  readonly db: Database;
  readonly artifacts: ArtifactStore;
  /**
   * The policy engine on this device, with so many threads of ONNX Runtime (0: all cores), or the training service there; kept for the
   * next call.
   */
  engine(machine: EngineMachine): Promise<PolicyEngine>;
  /** The text side of a base checkpoint (its manifest's reference); kept for the next call. */
  policyText(base: ArtifactRef): Promise<PolicyText>;
  /** Folder of the exported policies, artifacts and services. */
  readonly dataFolder: string;
}
