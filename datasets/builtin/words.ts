import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import type { WordSlot } from './slots.ts';

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Words of the training corpus and its held-out part; the shipped policy's warm start shows all of them. */
export const WORDS: { readonly [slot in WordSlot]: readonly string[] } = {
  person: list(
    'anna bob carla dave emma frank greta hugo iris jack karen leo mia nina oscar paul rosa sam tina vera will zoe adam ben',
  ),
  city: list(
    'paris rome oslo berlin madrid london vienna prague dublin lisbon athens warsaw zurich milan tokyo delhi cairo lima quito boston denver austin miami dallas',
  ),
  item: list(
    'milk bread eggs rice tea coffee sugar salt apples pears beans soap pasta honey butter cheese flour juice onions carrots paper nuts corn yogurt',
  ),
  label: list(
    'work gym lunch dinner school garden yoga piano budget travel rent laundry report review party birthday doctor dentist soccer reading taxes recipe ideas draft',
  ),
  room: list('kitchen bedroom bathroom office hall garage attic cellar studio lobby nursery porch'),
  color: list('red blue green white yellow orange purple pink brown gold silver violet'),
  ticker: list(
    'apex bolt crux dyna echo flux gran halo ionix jade kilo luma mono nexa onyx pulsar',
  ),
};

/** Words of the `unseen` split; nothing else ever shows them, the warm start included. */
export const UNSEEN_WORDS: { readonly [slot in WordSlot]: readonly string[] } = {
  person: list('dora luca mona otto ruth nora'),
  city: list('cadiz genoa perth bari lagos turin'),
  item: list('limes tofu figs mint candles peas'),
  label: list('chess opera poker judo surf camp'),
  room: list('pantry balcony loft den'),
  color: list('crimson amber teal ruby'),
  ticker: list('vanto zefir orbis telo'),
};

/** Plain words beyond the corpus, for demonstrations only. */
const WIDE = list(`
  anchor arrow autumn bacon badge ballet banana barrel basin beacon beetle bench berry bishop blanket blossom bottle
  branch breeze brick bridge bronze brush bucket cabin cactus camel camera canal candy canoe canyon carpet castle
  cattle cedar chapel cherry cloud clover coast cobalt comet copper coral cotton cousin cradle crane cricket crystal
  curtain dagger daisy desert dragon eagle ember engine fabric falcon feather fence ferry fiddle finger flame flute
  forest fossil fountain fox galaxy garnet ginger glacier glove goblin grain granite hammer harbor harvest hazel
  helmet heron hockey horizon hornet island ivory jacket jaguar jasmine jewel jungle kettle kiln kitten ladder lagoon
  lantern laurel lava legend lichen lily linen lizard lobster locket lotus magnet maple marble meadow melon meteor
  mirror mitten monkey mosaic mountain muffin museum needle nickel nova oasis ocean olive orchid otter owl oyster
  paddle palace panda parrot pebble pencil pepperoni pigeon pillow pilot pine pirate planet plasma plum pocket pollen
  pony poplar prairie puddle pumpkin puzzle quartz quiver rabbit radar raven reef ribbon river robin rocket saddle
  saffron salmon sandal satin shadow shell sherpa shovel signal silk sketch snail sparrow spider spruce squid stable
  statue storm summit sunset swan tablet tango temple thistle thunder tiger timber topaz tower trumpet tulip tundra
  turtle valley vapor velvet village violin walnut walrus water whale wheat willow winter wizard wolf yarn zebra`);

const ONSETS = list(
  'b c d f g h j k l m n p r s t v w z b d f g k l m n p r s t br ch cl dr fl gr pl pr sh st tr',
);
const VOWELS = list('a e i o u a e i o a e o ai ee oa oo ou ie');
const CODAS = list('- - - - - l m n r s t d k n r s x ck nd nt ng sh');

/** How many made-up words there are; a few coincide. */
const COMPOSED_WORDS = 8000;

/** The k-th made-up word: one or two syllables, rarely three. */
function composedWord(k: number): string {
  const unit = seededRandom(hashSeed('composed word', k));
  const pick = (from: readonly string[]): string => from[Math.floor(unit() * from.length)] ?? '';
  const shape = unit();
  const syllables = shape < 0.15 ? 1 : shape < 0.93 ? 2 : 3;
  let word = '';
  for (let i = 0; i < syllables; i++) {
    const coda = i === syllables - 1 ? pick(CODAS) : '-';
    word += pick(ONSETS) + pick(VOWELS) + (coda === '-' ? '' : coda);
  }
  return word;
}

/**
 * The thousands of words that demonstrations draw from so that copying is what they teach.
 * @param reserved words that must never be shown
 */
export function diverseWords(reserved: ReadonlySet<string>): readonly string[] {
  const words = new Set(WIDE);
  for (let k = 0; k < COMPOSED_WORDS; k++) words.add(composedWord(k));
  return [...words].filter((word) => !reserved.has(word));
}
