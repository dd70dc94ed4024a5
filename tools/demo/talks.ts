// What people say to each other. A line begins with the number of who says it: 0 has opened the room.
import { oneOf } from './chance.ts'
import type { Language } from './people.ts'

/** What one of them says. */
export interface Line {
  by: number
  text: string
}

type Talks = Record<Language, readonly (readonly string[])[]>

const TRADE: Talks = {
  ko: [
    [
      '0 안녕하세요, 아직 판매 중인가요?',
      '1 네, 있어요!',
      '0 혹시 내일 저녁에 직거래 가능할까요?',
      '1 7시 이후면 괜찮습니다. 합정역 어떠세요?',
      '0 좋아요, 7시 반에 뵐게요.',
    ],
    [
      '0 잎에 상처는 없나요?',
      '1 아래쪽 잎 하나만 끝이 살짝 말랐고 나머지는 깨끗해요.',
      '0 사진 감사합니다. 조금만 깎아 주실 수 있을까요?',
      '1 오늘 가져가시면 2천 원 빼 드릴게요.',
    ],
    [
      '0 택배로도 보내 주시나요?',
      '1 네, 뽁뽁이로 잘 싸서 보내 드려요. 택배비는 4천 원입니다.',
      '0 그럼 택배로 부탁드려요!',
      '1 주소 남겨 주시면 월요일에 보낼게요.',
      '0 감사합니다 🌱',
    ],
    ['0 빛이 적은 방에서도 잘 자라나요?', '1 북향 창가에서 키웠는데 잘 자랐어요.', '0 물은 얼마나 자주 주세요?'],
    ['0 이번 주말에 가지러 가도 될까요?'],
  ],
  en: [
    [
      '0 Hi! Is it still available?',
      '1 Yes, it is.',
      '0 Great. Could I pick it up on Saturday morning?',
      '1 Saturday works, around ten at the station?',
      '0 Perfect, see you then.',
    ],
    [
      '0 Does it come with the pot?',
      '1 It does, the saucer too.',
      '0 Would you take a little less?',
      '1 I can do 2,000 less if you come today.',
    ],
    [
      '0 Could you send it by parcel?',
      '1 Sure, well wrapped. Shipping is 4,000 won.',
      '0 That is fine. I will pay today.',
      '1 Thank you! It leaves on Monday.',
      '0 Lovely 🌱',
    ],
    [
      '0 Is it safe for cats, do you know?',
      '1 I am not sure, better look it up before you come.',
      '0 Good idea, I will tell you tomorrow.',
    ],
    ['0 Hello, is the price fixed?'],
  ],
}

const DIRECT: Talks = {
  ko: [
    [
      '0 지난번에 주신 삽수에 뿌리 났어요!',
      '1 벌써요? 축하드려요 🎉',
      '0 물꽂이 2주 만이에요. 이제 흙에 심어도 될까요?',
      '1 뿌리가 5cm 정도 되면 심으세요.',
    ],
    ['0 이번 주 식물 장터 가세요?', '1 토요일에 가려고요. 같이 가실래요?', '0 좋아요! 11시에 입구에서 만나요.'],
    [
      '0 잎이 노랗게 변하는데 왜 그럴까요?',
      '1 물을 너무 자주 준 것 같아요. 흙이 마를 때까지 기다려 보세요.',
      '0 그렇게 해 볼게요. 고마워요.',
    ],
  ],
  en: [
    [
      '0 The cutting you gave me has roots!',
      '1 Already? Well done.',
      '0 Two weeks in water. Should I pot it now?',
      '1 Wait until they are as long as a finger.',
    ],
    [
      '0 Are you going to the plant market this week?',
      '1 On Saturday. Do you want to come along?',
      '0 Yes! Eleven at the entrance?',
    ],
    [
      '0 My leaves turn yellow. Any idea?',
      '1 Probably too much water. Let the soil dry first.',
      '0 I will try that, thanks.',
    ],
  ],
}

const GROUP: Record<Language, readonly string[]> = {
  ko: [
    '0 여기에 각자 자랑하고 싶은 식물 올려 주세요!',
    '1 저는 요즘 알로카시아 새잎 기다리는 중이에요.',
    '2 분갈이는 언제가 좋을까요?',
    '0 봄이 제일 좋아요. 지금은 조금만 참으세요.',
    '3 남는 토분 있으신 분?',
    '1 저 두 개 있어요. 토요일에 가져갈게요.',
    '3 감사합니다!',
  ],
  en: [
    '0 Welcome! Tell us what is growing on your windowsill.',
    '1 A fern that does not like me.',
    '2 Ferns like nobody in winter. Try a tray of water under it.',
    '3 Does anyone have a spare pot, about 15 cm?',
    '0 I have two, come by on Sunday.',
    '1 The tray works, thank you!',
  ],
}

/** Groups, each with who opens it. */
export const GROUPS: readonly { name: string; language: Language; owner: number }[] = [
  { name: '성수 식물 모임', language: 'ko', owner: 0 },
  { name: 'Seoul plant swap', language: 'en', owner: 2 },
  { name: '다육이와 선인장', language: 'ko', owner: 4 },
  { name: 'Balcony gardeners', language: 'en', owner: 20 },
]

export const groupTalk = (language: Language): Line[] => linesOf(GROUP[language])
export const tradeTalk = (seed: string, language: Language): Line[] => linesOf(oneOf(seed, TRADE[language]))
export const directTalk = (seed: string, language: Language): Line[] => linesOf(oneOf(seed, DIRECT[language]))

const linesOf = (talk: readonly string[]): Line[] => talk.map((line) => ({ by: Number(line[0]), text: line.slice(2) }))
