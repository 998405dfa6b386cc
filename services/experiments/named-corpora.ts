import type { RunConfig } from '../../contracts/config.ts';
import type { CorpusName } from '../../contracts/experiment.ts';

type CorpusSettings = Pick<RunConfig, 'data' | 'corpusSize' | 'levelMix' | 'wrongLabels'>;

const EVEN = [0.25, 0.25, 0.25, 0.25];
/** Three quarters are of the easiest level, which a policy has soon mastered. */
const MOSTLY_EASY = [0.75, 0.05, 0.1, 0.1];

/** The corpora of experiments, as settings of the built-in generator. The default corpus is none of them. */
export const NAMED_CORPORA: { readonly [name in CorpusName]: CorpusSettings } = {
  balanced: { data: 'builtin', corpusSize: 128, levelMix: EVEN, wrongLabels: 0 },
  skewed: { data: 'builtin', corpusSize: 128, levelMix: MOSTLY_EASY, wrongLabels: 0 },
  'skewed-noisy': { data: 'builtin', corpusSize: 128, levelMix: MOSTLY_EASY, wrongLabels: 0.1 },
  /** So few that they can be learnt by heart. */
  small: { data: 'builtin', corpusSize: 32, levelMix: EVEN, wrongLabels: 0 },
};
