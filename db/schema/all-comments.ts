import type { Comments } from '../comments.ts';
import { artifactStoreComments } from './artifact-store.ts';
import { corporaComments, samplesComments } from './corpora.ts';
import { experimentRunsComments, experimentsComments } from './experiments.ts';
import { gradientShardsComments } from './gradients.ts';
import {
  curriculumVersionsComments,
  importanceSumsComments,
  sampleStatisticsComments,
} from './learning.ts';
import { checkpointsComments, evaluationsComments, evaluationSamplesComments } from './policies.ts';
import { groupsComments, rolloutsComments, rolloutShardsComments } from './rollouts.ts';
import { eventsComments, runsComments, runSplitsComments, settingChangesComments } from './runs.ts';
import { epochsComments, roundsComments, stepsComments } from './steps.ts';
import {
  suiteAnswersComments,
  suiteEvaluationsComments,
  suiteQuestionsComments,
  suiteShardsComments,
} from './suites.ts';
import { learningCurveComments, sampleLifecycleComments, subtaskMasteryComments } from './views.ts';

/** The comments of every table and view. */
export const ALL_COMMENTS: readonly Comments[] = [
  corporaComments,
  samplesComments,
  runsComments,
  runSplitsComments,
  eventsComments,
  settingChangesComments,
  epochsComments,
  stepsComments,
  roundsComments,
  groupsComments,
  rolloutShardsComments,
  rolloutsComments,
  gradientShardsComments,
  sampleStatisticsComments,
  importanceSumsComments,
  curriculumVersionsComments,
  checkpointsComments,
  evaluationsComments,
  evaluationSamplesComments,
  suiteEvaluationsComments,
  suiteQuestionsComments,
  suiteShardsComments,
  suiteAnswersComments,
  experimentsComments,
  experimentRunsComments,
  artifactStoreComments,
  learningCurveComments,
  sampleLifecycleComments,
  subtaskMasteryComments,
];
