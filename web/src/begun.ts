// What boot.ts has asked the server for; api.ts takes the answers instead of asking again.

const begun = new Map<string, Promise<Response>>()

/** Begins a GET. Whatever becomes of it is for the one who takes it. */
export function begin(address: string): Promise<Response> {
  const answer = fetch(address)
  answer.catch(() => {})
  begun.set(address, answer)
  return answer
}

/** The answer to a GET that was begun, once. */
export function takeBegun(address: string): Promise<Response> | undefined {
  const answer = begun.get(address)
  begun.delete(address)
  return answer
}

/** To be called when something has happened that those answers may not show: whoever still wants one asks anew. */
export const forgetBegun = (): void => begun.clear()
