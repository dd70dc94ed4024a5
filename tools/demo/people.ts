export type Language = 'ko' | 'en'

/** Who signs up; their e-mail address is made of the username. */
export interface Character {
  username: string
  displayName: string
  language: Language
  statusMessage: string
}

const ko = (username: string, displayName: string, statusMessage: string): Character => ({
  username,
  displayName,
  language: 'ko',
  statusMessage,
})
const en = (username: string, displayName: string, statusMessage: string): Character => ({
  username,
  displayName,
  language: 'en',
  statusMessage,
})

export const PEOPLE: readonly Character[] = [
  ko('minji.kim', '김민지', '몬스테라 키우는 재미에 빠졌어요'),
  ko('junho.lee', '이준호', '주말에만 거래 가능합니다'),
  en('emma.clark', 'Emma Clark', 'Too many plants, too few windows'),
  ko('seoyeon.park', '박서연', '성수동 직거래 좋아해요'),
  ko('dohyun.choi', '최도현', '다육이 200개째'),
  en('oliver.hughes', 'Oliver Hughes', 'Cacti, mostly'),
  ko('haeun.jung', '정하은', '베란다 정원사'),
  ko('jiho.kang', '강지호', '퇴근 후 답장드려요'),
  en('sophie.martin', 'Sophie Martin', 'Happy to swap cuttings'),
  ko('yuna.cho', '조유나', '허브 나눔 자주 합니다'),
  ko('siwoo.yoon', '윤시우', '초보 식집사'),
  en('liam.walker', 'Liam Walker', 'Pick-up near Hapjeong'),
  ko('chaewon.jang', '장채원', '희귀 식물 모아요'),
  ko('hyunwoo.lim', '임현우', '분갈이 도와드려요'),
  en('grace.bennett', 'Grace Bennett', 'Orchids are easier than you think'),
  ko('nayoung.han', '한나영', '빛이 부족한 집에 살아요'),
  ko('taemin.oh', '오태민', '택배 거래도 됩니다'),
  en('noah.fischer', 'Noah Fischer', 'Moving out in spring'),
  ko('eunji.seo', '서은지', '꽃보다 잎'),
  ko('jaewon.shin', '신재원', '토분 수집가'),
  en('chloe.rossi', 'Chloe Rossi', 'Balcony of herbs'),
  ko('soobin.kwon', '권수빈', '물꽂이 전문'),
  ko('minjae.hwang', '황민재', '수국 좋아하는 사람'),
  en('daniel.novak', 'Daniel Novak', 'Learning Korean, be patient'),
  ko('yerin.ahn', '안예린', '식물 일기 쓰는 중'),
  ko('geonwoo.song', '송건우', '회사 책상에 식물 다섯'),
  en('mia.andersen', 'Mia Andersen', 'Small plants for small rooms'),
  ko('jiwoo.yoo', '유지우', '고양이에게 안전한 식물만'),
  ko('seungmin.baek', '백승민', '나무 키우는 사람'),
  en('lucas.moreau', 'Lucas Moreau', 'Weekends only'),
]
