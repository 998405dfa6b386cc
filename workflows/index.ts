/** The workflow types that a worker registers: what this file exports, and nothing else. */
export { policyEvaluation } from './policy-evaluation.ts';
export { experiment } from './experiment.ts';
export { trainingEpoch } from './training-epoch.ts';
export { trainingRun } from './training-run.ts';
