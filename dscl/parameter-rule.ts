import type { PythonDict, PythonValue } from './python-value.ts';
import { pythonEquals } from './python-value.ts';

/** What the parameters of one ground-truth call ask of a prediction; one implementation per {@link ValueMatch}. */
export interface ParameterRule {
  /** K(y): the parameters that exist. */
  readonly keys: ReadonlySet<string>;
  /** Leaving the parameter out is right, too. */
  readonly mayOmit: (key: string) => boolean;
  /** Whether a predicted value is right for one of {@link keys}. */
  readonly accepts: (key: string, value: PythonValue) => boolean;
}

/** ToolRL's rule: every parameter is asked for, values compare with Python's `==`. [ToolRL] */
export function toolrlRule(parameters: PythonDict): ParameterRule {
  return {
    keys: new Set(parameters.keys()),
    mayOmit: () => false,
    accepts: (key, value) => {
      const wanted = parameters.get(key);
      return wanted !== undefined && pythonEquals(value, wanted);
    },
  };
}
