/* The models of a firmware: a table that the build writes (models.c). */
#ifndef EIQ_MODEL_H
#define EIQ_MODEL_H
#include <stdint.h>
#include "eiq_mfcc.h"

#define EIQ_MAX_DIMS 6

struct eiq_tensor {
    const char *name;
    uint8_t dtype; /* enum eiq_dtype */
    uint8_t dims;
    uint32_t shape[EIQ_MAX_DIMS];
    float scale; /* 0: not quantised */
    int32_t zero_point;
    uint32_t bytes;
    uint32_t place;   /* in the input or output blob */
    uint32_t address; /* in the model's mutable memory */
};

/* A bundle of the model compiler, or of Glow: the same static interface. */
struct eiq_model {
    const char *name;
    uint8_t sha256[32]; /* of the .tflite file */
    uint8_t recipe[8];
    int (*run)(uint8_t *constants, uint8_t *mutable_memory, uint8_t *activations);
    const uint8_t *constants;
    uint32_t constant_bytes, mutable_bytes, activation_bytes;
    uint32_t input_bytes, output_bytes; /* of the blobs */
    uint8_t inputs, outputs;
    const struct eiq_tensor *tensors;      /* inputs first */
    const struct eiq_window *features;     /* NULL: none */
};

extern const struct eiq_model eiq_models[];
extern const uint32_t eiq_model_count;

/* Memory that all models share, as large as the largest one needs; models.h has EIQ_MUTABLE_BYTES, EIQ_ACTIVATION_BYTES,
   EIQ_INPUT_BYTES and EIQ_OUTPUT_BYTES (the largest blobs). */
extern uint8_t eiq_mutable_memory[];
extern uint8_t eiq_activations[];
#endif
