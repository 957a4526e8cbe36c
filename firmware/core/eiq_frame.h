/* eRPC's frames: uint16 CRC of the header, uint16 size, uint16 CRC of the message, all little-endian; then the message. */
#ifndef EIQ_FRAME_H
#define EIQ_FRAME_H
#include <stddef.h>
#include <stdint.h>
#include "eiq_config.h"

#define EIQ_HEADER_BYTES 6u

/* Finds frames in a stream of bytes. After a wrong header or message it begins again one byte on, so that no noise hides
   a frame that follows it. */
struct eiq_decoder {
    uint32_t from, to;                        /* what is not yet decided on in bytes */
    uint32_t good, bad;                       /* frames, and those whose header was right and whose message was not */
    uint8_t bytes[EIQ_HEADER_BYTES + EIQ_MAX_FRAME];
};

enum eiq_found { EIQ_FOUND_NONE, EIQ_FOUND_MESSAGE, EIQ_FOUND_TOO_LARGE };

void eiq_decoder_init(struct eiq_decoder *d);
/* Where the next bytes may be put, and how many: never 0 once eiq_decoder_next said NONE. Ends the last message. */
uint8_t *eiq_decoder_space(struct eiq_decoder *d, size_t *size);
/* So many bytes were put there. */
void eiq_decoder_add(struct eiq_decoder *d, size_t size);
/* The next message, valid until space or idle; call it until it says NONE. */
enum eiq_found eiq_decoder_next(struct eiq_decoder *d, const uint8_t **message, size_t *size);
/* The line was silent: what began is no frame. Call next again, there may be one behind. Returns 0: nothing was left. */
int eiq_decoder_idle(struct eiq_decoder *d);

/* Write the header of the message that lies at frame + EIQ_HEADER_BYTES. Returns the frame's bytes. */
size_t eiq_frame_finish(uint8_t *frame, size_t size);
#endif
