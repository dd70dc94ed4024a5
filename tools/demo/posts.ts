import { numberOf, oneOf } from './chance.ts'
import type { Language } from './people.ts'
import type { ShapeName } from './picture.ts'

type Category = 'foliage' | 'flowering' | 'succulent' | 'herb' | 'tree' | 'seed' | 'supplies' | 'other'

interface Kind {
  ko: string
  en: string
  category: Category
  shape: ShapeName
  hue: number
  price: number
}

const kind = (ko: string, en: string, category: Category, shape: ShapeName, hue: number, price: number): Kind => ({
  ko,
  en,
  category,
  shape,
  hue,
  price,
})

const KINDS: readonly Kind[] = [
  kind('몬스테라 델리시오사', 'Monstera deliciosa', 'foliage', 'broad', 130, 25_000),
  kind('올리브나무', 'Olive tree', 'tree', 'tree', 85, 48_000),
  kind('에케베리아', 'Echeveria', 'succulent', 'rosette', 165, 6_000),
  kind('호접란', 'Moth orchid', 'flowering', 'flower', 320, 22_000),
  kind('바질', 'Basil', 'herb', 'bush', 112, 4_000),
  kind('스킨답서스', 'Golden pothos', 'foliage', 'trailing', 92, 8_000),
  kind('금호 선인장', 'Golden barrel cactus', 'succulent', 'cactus', 105, 18_000),
  kind('해바라기 씨앗', 'Sunflower seeds', 'seed', 'flower', 48, 2_000),
  kind('토분', 'Terracotta pot', 'supplies', 'empty', 20, 7_000),
  kind('금전수', 'ZZ plant', 'foliage', 'fronds', 125, 16_000),
  kind('제라늄', 'Geranium', 'flowering', 'flower', 350, 9_000),
  kind('로즈마리', 'Rosemary', 'herb', 'spikes', 150, 6_000),
  kind('레몬나무', 'Lemon tree', 'tree', 'tree', 70, 39_000),
  kind('알로카시아 프라이덱', 'Alocasia Frydek', 'foliage', 'broad', 150, 45_000),
  kind('하월시아', 'Haworthia', 'succulent', 'rosette', 120, 8_000),
  kind('수국', 'Hydrangea', 'flowering', 'flower', 235, 17_000),
  kind('분갈이 흙 10L', 'Potting mix 10 l', 'supplies', 'empty', 20, 5_000),
  kind('필로덴드론 브라질', 'Philodendron Brasil', 'foliage', 'trailing', 80, 12_000),
  kind('애플민트', 'Apple mint', 'herb', 'bush', 128, 3_500),
  kind('벵갈고무나무', 'Ficus Audrey', 'tree', 'tree', 118, 55_000),
  kind('방울토마토 씨앗', 'Cherry tomato seeds', 'seed', 'bush', 100, 1_500),
  kind('스투키', 'Snake plant', 'succulent', 'spikes', 125, 15_000),
  kind('베고니아 마큘라타', 'Begonia maculata', 'flowering', 'broad', 140, 28_000),
  kind('보스턴고사리', 'Boston fern', 'foliage', 'fronds', 105, 13_000),
  kind('식물 선반', 'Plant shelf', 'other', 'empty', 20, 30_000),
]

// Behind the name of a plant, and of what is none.
const PLANTS = {
  ko: ['소품', '대품', '건강한 모체', '새순 나왔어요', '이사로 정리', '분갈이 마침', '초보자 추천', '2년 키움'],
  en: [
    'small',
    'large',
    'healthy mother plant',
    'with a new leaf',
    'moving out',
    'just repotted',
    'easy to keep',
    'two years old',
  ],
} as const
const THINGS = {
  ko: ['새 제품', '거의 새것', '소량', '여러 개 일괄', '미개봉', '남은 것', '두 개 세트', '사용감 있음'],
  en: ['new', 'nearly new', 'a few', 'all together', 'unopened', 'left over', 'set of two', 'used'],
} as const

const WORDS = {
  ko: [
    '햇빛 잘 드는 창가에서 키웠어요.',
    '물은 겉흙이 마르면 주시면 됩니다.',
    '벌레 없이 깨끗합니다.',
    '사진은 오늘 찍었어요.',
    '직거래 우선이고 택배도 가능해요.',
    '화분까지 같이 드립니다.',
    '궁금한 점은 편하게 채팅 주세요.',
  ],
  en: [
    'Grown at a bright window.',
    'Water it when the top of the soil is dry.',
    'No pests, checked leaf by leaf.',
    'The picture was taken today.',
    'Pick-up preferred, I can also send it.',
    'The pot comes with it.',
    'Just write if you have a question.',
  ],
} as const

/** What somebody puts up for sale, and what becomes of it. */
export interface Draft {
  /** Names it in seeds. */
  number: number
  title: string
  content: string
  price: number
  category: Category
  status: 'open' | 'reserved' | 'sold'
  /** One for each picture. */
  pictures: { seed: string; shape: ShapeName; hue: number }[]
}

/** So many have titles of their own. */
export const POSTS_AT_MOST = KINDS.length * PLANTS.ko.length

/** The post of a number from 0 to POSTS_AT_MOST − 1, in the seller's language. */
export function draftOf(number: number, language: Language): Draft {
  const seed = `post ${number}`
  const { category, shape, hue, price, ...names } = KINDS[number % KINDS.length]!
  const about = ['seed', 'supplies', 'other'].includes(category) ? THINGS : PLANTS
  const variant = Math.floor(number / KINDS.length)
  const lines = WORDS[language].filter((_, i) => numberOf(`${seed} line ${i}`, 5) < 3)
  return {
    number,
    title: `${names[language]} ${about[language][variant]!}`,
    content: [`${names[language]}, ${about[language][variant]!}.`, ...lines].join('\n'),
    price: number % 12 === 4 ? 0 : Math.round((price * (70 + numberOf(`${seed} price`, 80))) / 50_000) * 500,
    category,
    status: number % 10 === 3 ? 'reserved' : number % 10 === 6 ? 'sold' : 'open',
    pictures: Array.from({ length: number % 5 === 0 ? 2 : 1 }, (_, i) => ({
      seed: `${seed} picture ${i}`,
      shape,
      hue,
    })),
  }
}

const KEYWORDS = {
  ko: ['몬스테라', '토분', '나눔', '알로카시아', '올리브', '씨앗', '수국', '선인장'],
  en: ['monstera', 'orchid', 'cactus', 'seeds', 'fern', 'basil', 'lemon', 'pot'],
} as const

/** Two words that somebody waits for. */
export function keywordsOf(username: string, language: Language): string[] {
  const first = oneOf(`${username} waits`, KEYWORDS[language])
  const others = KEYWORDS[language].filter((word) => word !== first)
  return [first, oneOf(`${username} waits too`, others)]
}
