// The words of the page in two languages. Every text goes through `put`, so that the page can change its language at any moment.

const en = {
  skip: 'Skip to content',
  language: 'Language',
  connection: 'Connection',
  show: 'Show',
  hide: 'Hide',
  cancel: 'Cancel',
  tryAgain: 'Try again',
  retry: 'Try again',
  plain: '{value}',
  logOut: 'Log out',

  'field.username': 'Username',
  'field.password': 'Password',
  'field.displayName': 'Display name',
  'field.email': 'Email',
  'hint.password': '10 characters or more. A short sentence is fine; paste works.',
  'hint.checking': 'Checking',
  'hint.free': 'Free to take',
  'bad.username': '3 to 30 characters: a to z in small letters, digits, dot, dash or underscore',
  'bad.password': '10 to 200 characters',
  'bad.displayName': '1 to 40 characters',
  'bad.email': 'An address like name@example.com',
  'bad.emailDot': 'The part after @ is missing a dot, like example.com',
  'bad.missing': 'Please fill this in',
  'bad.confirm': 'That is not your password',

  'problem.username_taken': 'Someone has this name already',
  'problem.email_taken': 'Someone signed up with this address already',
  'problem.invalid_credentials': 'This name and password do not belong together',
  'problem.validation_failed': 'Please check the marked fields',
  'problem.unauthenticated': 'You have been logged out. Log in to go on',
  'problem.rate_limited': 'Too many tries. Please wait {seconds} seconds',
  'problem.unavailable': 'We are too busy right now. Nothing is lost; please try again in {seconds} seconds',
  'problem.network': 'No connection to Pando. What you typed is still here',
  'problem.other': 'Something went wrong on our side. Please try again. If it stays, tell us this number: {requestId}',

  'signUp.title': 'Plants move house here',
  'signUp.lead': 'Sell a cutting, find a fern, and talk to the person who grew it.',
  'signUp.button': 'Sign up',
  'signUp.busy': 'Signing up',
  'signUp.other': 'Already here?',
  'logIn.title': 'Welcome back',
  'logIn.lead': 'Your plants, chats and wallet are where you left them.',
  'logIn.ready': 'Your place is ready. Log in to move in.',
  'logIn.button': 'Log in',
  'logIn.busy': 'Logging in',
  'logIn.other': 'New here?',

  'progress.note': 'You can close this window. It goes on, and this address shows you how it went.',
  'problem.gone': 'We cannot find that sign-up any more',
  'bar.label': 'Time used until the deadline',
  'bar.text': '{elapsed} s · at most {most} s',
  'bar.late': 'Over {most} s · it will be undone',
  'time.seconds': '{seconds} s',
  'time.running': 'in progress',
  'strip.reconnecting': 'Reconnecting. It goes on meanwhile.',
  'strip.offline': 'You are offline. It goes on meanwhile.',
  'strip.back': 'Connected again',

  'step.user': 'Account',
  'step.chat': 'Chat',
  'step.customer': 'Wallet',
  'step.market': 'Posts',
  'status.pending': 'pending',
  'status.done': 'done',
  'status.failed': 'failed',
  'status.undone': 'undone',
  'status.skipped': 'skipped',
  'say.item': '{step}: {status}',
  'say.so-far': 'Done: {done}. In progress: {rest}.',
  'say.undoing': 'Being undone',
  'say.skipped': 'Not needed',
  'say.deadline': 'No answer in time',
  'say.wallet_not_empty': 'There is money in the wallet',
  'say.failed': 'It did not work',

  'sign-up.steps': 'Sign-up progress',
  'sign-up.running': 'Making a place for {name}',
  'sign-up.running.lead': 'Three parts get ready together. If one cannot, all go back to the start: no half accounts.',
  'sign-up.compensating': 'Going back to the start',
  'sign-up.compensating.lead': 'One part could not be made, so the others are being undone.',
  'sign-up.completed': 'Welcome, {name}',
  'sign-up.completed.lead': 'All parts are ready.',
  'sign-up.failed': 'The sign-up did not work',
  'sign-up.failed.lead': '{step} could not be made. All that was made is undone, and what you typed is still here.',
  'sign-up.failed.deadline':
    '{step} did not answer within {most} seconds. All that was made is undone, and what you typed is still here.',
  'sign-up.user.pending': 'Registering your name',
  'sign-up.user.done': 'Your name is registered',
  'sign-up.chat.pending': 'Preparing a place to talk',
  'sign-up.chat.done': 'A place to talk is ready',
  'sign-up.customer.pending': 'Opening your wallet',
  'sign-up.customer.done': 'Opened with ₩0',
  'sign-up.pending': 'Getting ready',
  'sign-up.done': 'Ready',
  'sign-up.undone': 'Undone',
  'sign-up.nobody': 'you',
  'grove.sign-up.pending': 'Growing',
  'grove.sign-up.done': 'All set',

  'account-deletion.steps': 'Deletion progress',
  'account-deletion.running': 'Deleting your account',
  'account-deletion.running.lead': 'Every part takes its share away. If one refuses, everything stays as it was.',
  'account-deletion.compensating': 'Putting everything back',
  'account-deletion.compensating.lead': 'One part refused, so the others are being restored.',
  'account-deletion.completed': 'Your account is gone',
  'account-deletion.completed.lead': 'Nothing of it is left. Thank you for having been here.',
  'account-deletion.failed': 'Your account was not deleted',
  'account-deletion.failed.lead': '{step} refused, so everything is as it was.',
  'account-deletion.failed.deadline': '{step} did not answer within {most} seconds, so everything is as it was.',
  'account-deletion.pending': 'Being removed',
  'account-deletion.done': 'Removed',
  'account-deletion.undone': 'As it was',

  'me.title': 'Hello, {name}',
  'me.since': 'Here since',
  'me.wallet': 'Wallet',
  'me.back': 'Back to my account',
  money: '₩{amount}',
  'delete.button': 'Delete account',
  'delete.title': 'Delete your account?',
  'delete.lead': 'Your account, your chats and your wallet go. This cannot be undone.',

  'wire.title': 'What just happened',
  'wire.empty': 'For engineers: the events of the live stream appear here as they arrive.',
  'wire.time': 'Time',
  'wire.event': 'Event',
  'wire.id': 'Id',
  'wire.version': 'Version',
  'wire.links': 'For engineers',
  'wire.docs': 'API page',
}

const ko = {
  skip: '본문으로 건너뛰기',
  language: '언어',
  connection: '연결',
  show: '보기',
  hide: '숨기기',
  cancel: '그만두기',
  tryAgain: '다시 가입하기',
  retry: '다시 해 보기',
  plain: '{value}',
  logOut: '로그아웃',

  'field.username': '아이디',
  'field.password': '비밀번호',
  'field.displayName': '표시 이름',
  'field.email': '이메일',
  'hint.password': '10자 이상이에요. 짧은 문장도 좋고, 붙여넣기도 돼요.',
  'hint.checking': '확인하고 있어요',
  'hint.free': '쓸 수 있는 아이디예요',
  'bad.username': '3~30자로, 영어 소문자, 숫자, 점, 붙임표, 밑줄만 쓸 수 있어요',
  'bad.password': '10~200자로 적어 주세요',
  'bad.displayName': '1~40자로 적어 주세요',
  'bad.email': 'name@example.com 같은 주소를 적어 주세요',
  'bad.emailDot': '@ 뒤에 점이 빠졌어요. example.com처럼 적어 주세요',
  'bad.missing': '여기를 채워 주세요',
  'bad.confirm': '비밀번호가 맞지 않아요',

  'problem.username_taken': '다른 분이 이미 쓰고 있는 아이디예요',
  'problem.email_taken': '이미 가입한 이메일이에요',
  'problem.invalid_credentials': '아이디와 비밀번호가 서로 맞지 않아요',
  'problem.validation_failed': '표시한 곳을 확인해 주세요',
  'problem.unauthenticated': '로그아웃됐어요. 이어서 하려면 로그인해 주세요',
  'problem.rate_limited': '너무 여러 번 시도했어요. {seconds}초 뒤에 다시 해 주세요',
  'problem.unavailable': '지금은 많이 붐벼요. 쓰신 내용은 그대로 있으니 {seconds}초 뒤에 다시 해 주세요',
  'problem.network': 'Pando에 연결하지 못했어요. 쓰신 내용은 그대로 있어요',
  'problem.other': '우리 쪽 문제예요. 다시 해 주세요. 계속 안 되면 이 번호를 알려 주세요: {requestId}',

  'signUp.title': '식물이 이사하는 곳',
  'signUp.lead': '가지 하나를 내놓고, 고사리를 찾고, 키운 분과 이야기해요.',
  'signUp.button': '가입하기',
  'signUp.busy': '가입하는 중',
  'signUp.other': '이미 가입하셨나요?',
  'logIn.title': '다시 오셨네요',
  'logIn.lead': '식물도 대화도 지갑도 그대로 있어요.',
  'logIn.ready': '자리가 준비됐어요. 로그인해서 들어오세요.',
  'logIn.button': '로그인',
  'logIn.busy': '로그인하는 중',
  'logIn.other': '처음이신가요?',

  'progress.note': '창을 닫아도 계속돼요. 이 주소로 돌아오면 이어서 볼 수 있어요.',
  'problem.gone': '그 가입은 더 찾을 수 없어요',
  'bar.label': '기한까지 지난 시간',
  'bar.text': '{elapsed}초 · 길어도 {most}초',
  'bar.late': '{most}초가 지났어요 · 곧 되돌려요',
  'time.seconds': '{seconds}초',
  'time.running': '진행 중',
  'strip.reconnecting': '다시 잇고 있어요. 그동안에도 계속돼요.',
  'strip.offline': '인터넷이 끊겼어요. 그동안에도 계속돼요.',
  'strip.back': '다시 이어졌어요',

  'step.user': '계정',
  'step.chat': '채팅',
  'step.customer': '지갑',
  'step.market': '글',
  'status.pending': '진행 중',
  'status.done': '완료',
  'status.failed': '실패',
  'status.undone': '되돌림',
  'status.skipped': '건너뜀',
  'say.item': '{step}: {status}',
  'say.so-far': '끝난 곳: {done}. 진행 중인 곳: {rest}.',
  'say.undoing': '되돌리고 있어요',
  'say.skipped': '필요하지 않았어요',
  'say.deadline': '답이 없었어요',
  'say.wallet_not_empty': '지갑에 돈이 남아 있어요',
  'say.failed': '하지 못했어요',

  'sign-up.steps': '가입 진행',
  'sign-up.running': '{name} 님의 자리를 만들고 있어요',
  'sign-up.running.lead': '세 곳에서 함께 준비해요. 하나라도 안 되면 모두 처음으로 되돌려서, 반쪽 계정은 남지 않아요.',
  'sign-up.compensating': '처음으로 되돌리고 있어요',
  'sign-up.compensating.lead': '한 곳이 준비하지 못해서, 만들던 것을 되돌려요.',
  'sign-up.completed': '반가워요, {name} 님',
  'sign-up.completed.lead': '모두 준비됐어요.',
  'sign-up.failed': '가입하지 못했어요',
  'sign-up.failed.lead': '준비하지 못한 곳: {step}. 만들던 것은 모두 되돌렸고, 쓰신 내용은 그대로 있어요.',
  'sign-up.failed.deadline':
    '{most}초 안에 답하지 않은 곳: {step}. 만들던 것은 모두 되돌렸고, 쓰신 내용은 그대로 있어요.',
  'sign-up.user.pending': '이름을 등록하고 있어요',
  'sign-up.user.done': '이름을 등록했어요',
  'sign-up.chat.pending': '대화할 자리를 준비하고 있어요',
  'sign-up.chat.done': '대화할 자리가 생겼어요',
  'sign-up.customer.pending': '지갑을 열고 있어요',
  'sign-up.customer.done': '잔액 0원으로 열었어요',
  'sign-up.pending': '준비하고 있어요',
  'sign-up.done': '준비됐어요',
  'sign-up.undone': '되돌렸어요',
  'sign-up.nobody': '새 식구',
  'grove.sign-up.pending': '자라는 중',
  'grove.sign-up.done': '다 됐어요',

  'account-deletion.steps': '탈퇴 진행',
  'account-deletion.running': '계정을 지우고 있어요',
  'account-deletion.running.lead': '맡은 곳마다 자기 몫을 지워요. 한 곳이라도 안 된다고 하면 모두 그대로 둬요.',
  'account-deletion.compensating': '원래대로 돌려놓고 있어요',
  'account-deletion.compensating.lead': '한 곳이 안 된다고 해서, 다른 곳을 되살려요.',
  'account-deletion.completed': '계정을 지웠어요',
  'account-deletion.completed.lead': '남은 것이 없어요. 함께해 주셔서 고마웠어요.',
  'account-deletion.failed': '계정을 지우지 못했어요',
  'account-deletion.failed.lead': '안 된다고 한 곳: {step}. 모두 그대로예요.',
  'account-deletion.failed.deadline': '{most}초 안에 답하지 않은 곳: {step}. 모두 그대로예요.',
  'account-deletion.pending': '지우고 있어요',
  'account-deletion.done': '지웠어요',
  'account-deletion.undone': '그대로예요',

  'me.title': '안녕하세요, {name} 님',
  'me.since': '함께한 날',
  'me.wallet': '지갑',
  'me.back': '내 계정으로',
  money: '{amount}원',
  'delete.button': '계정 지우기',
  'delete.title': '계정을 지울까요?',
  'delete.lead': '계정과 대화와 지갑이 모두 사라져요. 되돌릴 수 없어요.',

  'wire.title': '방금 일어난 일',
  'wire.empty': '개발자를 위한 자리예요. 실시간 스트림의 이벤트가 오는 대로 여기에 나와요.',
  'wire.time': '시각',
  'wire.event': '이벤트',
  'wire.id': 'Id',
  'wire.version': '버전',
  'wire.links': '개발자용',
  'wire.docs': 'API 문서',
}

const languages = { en, ko }
let language = localStorage.getItem('pando.language') ?? (navigator.language.startsWith('ko') ? 'ko' : 'en')
if (!(language in languages)) language = 'en'

/** 'ko' or 'en'. */
export const currentLanguage = () => language

/** The first of `keys` that has a text, with `{name}`s filled in. */
export function text(keys, values = {}) {
  const words = languages[language]
  const found = [keys].flat().find((key) => key in words)
  return (words[found] ?? '').replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''))
}

// What stands where, so that another language can say it again: values may be functions, for words inside words.
const said = new WeakMap()

/** Puts a text into an element and keeps it in step with the page's language; no key empties it. */
export function put(element, keys, values = {}) {
  if (!keys || keys.length === 0) {
    said.delete(element)
    element.removeAttribute('data-t')
    element.textContent = ''
    return
  }
  said.set(element, { keys, values })
  element.setAttribute('data-t', [keys].flat()[0])
  say(element)
}

function say(element) {
  const { keys, values } = said.get(element) ?? { keys: element.getAttribute('data-t'), values: {} }
  const filled = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'function' ? value() : value]),
  )
  const words = text(keys, filled)
  if (element.textContent !== words) element.textContent = words
}

/** Says everything below `root` in the page's language. */
export function translate(root = document) {
  for (const element of root.querySelectorAll('[data-t]')) say(element)
  for (const element of root.querySelectorAll('[data-t-label]'))
    element.setAttribute('aria-label', text(element.getAttribute('data-t-label')))
}

/** Changes the language, for this visit and the next ones. */
export function speak(chosen) {
  language = chosen
  localStorage.setItem('pando.language', chosen)
  document.documentElement.lang = chosen
  translate()
}
document.documentElement.lang = language
