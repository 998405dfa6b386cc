import { z } from 'zod';
import { learningSettings } from './learning-settings.ts';
import { materialSettings } from './material-settings.ts';
import { about } from './setting-groups.ts';
import { stepSettings } from './step-settings.ts';

/**
 * Every key of a run: its range, what it means, and the default of the built-in run. Defaults that depend on other keys
 * (whose policy, which sampler) are laid over these by `defaults.ts`. Keys are canonical here; spellings and aliases are
 * the business of `names.ts`.
 */
export const runConfigSchema = z.strictObject({
  seed: z.int().min(0).default(0).meta(about('Schedule', 'seed of everything random in the run')),
  ...materialSettings,
  ...stepSettings,
  ...learningSettings,
});
