/**
 * The open connections of a server, so that it can end without dropping an
 * answer and without waiting for those who ask nothing.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Connections by their peer's address and port: the one name that a TCP socket
 * shares with the TLS socket above it.
 */
export class Connections {
  readonly #sockets = new Map<string, Socket>();
  readonly #answers = new Map<string, Set<ServerResponse>>();
  #closing = false;

  /** Watches a connection from its acceptance to its end. */
  add(socket: Socket): void {
    const peer = peerOf(socket);
    this.#sockets.set(peer, socket);
    socket.once("close", () => this.#sockets.delete(peer));
    if (this.#closing) socket.destroy();
  }

  /** Counts a connection as busy until `outgoing` is sent or lost. */
  answering({ socket }: IncomingMessage, outgoing: ServerResponse): void {
    const peer = peerOf(socket);
    const answers = this.#answers.get(peer) ?? new Set();
    this.#answers.set(peer, answers.add(outgoing));
    if (this.#closing) outgoing.shouldKeepAlive = false;
    outgoing.once("close", () => {
      answers.delete(outgoing);
      if (answers.size > 0) return;
      this.#answers.delete(peer);
      if (this.#closing) socket.destroySoon();
    });
  }

  /** Whether bytes of an answer may be under way to the peer of `socket`. */
  hasBegunAnswer(socket: Socket): boolean {
    for (const answer of this.#answers.get(peerOf(socket)) ?? []) {
      if (answer.headersSent) return true;
    }
    return false;
  }

  /** Ends every idle connection now, and each other one after its answer. */
  drain(): void {
    this.#closing = true;
    for (const [peer, socket] of this.#sockets) {
      const answers = this.#answers.get(peer);
      if (answers === undefined) socket.destroy();
      for (const answer of answers ?? []) answer.shouldKeepAlive = false;
    }
  }

  /** Ends every connection now. */
  destroy(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
