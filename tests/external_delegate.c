/* An external delegate of TensorFlow Lite that claims ADD of float32 and int8 and computes it.
 *
 * The structs are those of the public C API, tensorflow/lite/core/c/common.h, as far as they are used here.
 * Options: fail=create|prepare|invoke|take lets that step fail, fail=crash ends the program at the first inference; claim=nothing claims nothing.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, ERROR = 1, FLOAT32 = 1, INT8 = 9, BUILTIN_ADD = 0, ACTIVATION_RELU = 1 };

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  int type;
  void *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data;
  void *builtin_data;
} Node; /* its first fields */

typedef struct {
  void *(*init)(Context *, const char *buffer, size_t length);
  void (*free)(Context *, void *buffer);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external;
  void *(*async_kernel)(Context *, Node *);
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*ResizeTensor)(Context *, Tensor *, IntArray *);
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
}; /* its first fields */

struct Delegate {
  void *data;
  int (*Prepare)(Context *, Delegate *);
  int (*CopyFromBufferHandle)(Context *, Delegate *, int, Tensor *);
  int (*CopyToBufferHandle)(Context *, Delegate *, int, Tensor *);
  void (*FreeBufferHandle)(Context *, Delegate *, int *);
  int64_t flags;
  void *opaque_delegate_builder;
};

typedef struct { Delegate *delegate; IntArray *nodes, *inputs, *outputs; } Params;
typedef struct { int a, b, y, activation; } Sum;
typedef struct { bool fails, crashes; int count; Sum sums[]; } Kernel;
typedef struct { Delegate delegate; char fail[16]; bool nothing; } Own;

static void *init(Context *context, const char *buffer, size_t length) {
  const Params *params = (const Params *)buffer;
  Kernel *kernel = malloc(sizeof *kernel + params->nodes->size * sizeof(Sum));
  (void)length;
  kernel->count = params->nodes->size;
  kernel->fails = !strcmp(((Own *)params->delegate)->fail, "invoke");
  kernel->crashes = !strcmp(((Own *)params->delegate)->fail, "crash");
  for (int i = 0; i < kernel->count; i++) {
    Node *node;
    Registration *registration;
    context->GetNodeAndRegistration(context, params->nodes->data[i], &node, &registration);
    kernel->sums[i] = (Sum){node->inputs->data[0], node->inputs->data[1], node->outputs->data[0],
                            node->builtin_data ? *(int *)node->builtin_data : 0};
  }
  return kernel;
}

static void release(Context *context, void *buffer) {
  (void)context;
  free(buffer);
}

static int prepare(Context *context, Node *node) {
  (void)context, (void)node;
  return OK;
}

static float real(const Tensor *t, size_t i) {
  return t->type == FLOAT32 ? ((float *)t->data)[i] : t->params.scale * (((int8_t *)t->data)[i] - t->params.zero_point);
}

static void add(const Tensor *a, const Tensor *b, const Tensor *y, int activation) {
  size_t count = y->type == FLOAT32 ? y->bytes / 4 : y->bytes;
  for (size_t i = 0; i < count; i++) {
    float sum = real(a, i) + real(b, i);
    if (activation == ACTIVATION_RELU && sum < 0) sum = 0;
    if (y->type == FLOAT32) {
      ((float *)y->data)[i] = sum;
    } else {
      float stored = roundf(sum / y->params.scale) + y->params.zero_point;
      ((int8_t *)y->data)[i] = stored < -128 ? -128 : stored > 127 ? 127 : (int8_t)stored;
    }
  }
}

static int invoke(Context *context, Node *node) {
  const Kernel *kernel = node->user_data;
  if (kernel->crashes) abort();
  if (kernel->fails) {
    context->ReportError(context, "the device hung up");
    return ERROR;
  }
  for (int i = 0; i < kernel->count; i++) {
    Tensor *t = context->tensors;
    const Sum *s = &kernel->sums[i];
    add(&t[s->a], &t[s->b], &t[s->y], s->activation);
  }
  return OK;
}

static bool claims(Context *context, int index) {
  Node *node;
  Registration *registration;
  if (context->GetNodeAndRegistration(context, index, &node, &registration) != OK) return false;
  if (registration->builtin_code != BUILTIN_ADD || node->inputs->size != 2) return false;
  const Tensor *a = &context->tensors[node->inputs->data[0]], *b = &context->tensors[node->inputs->data[1]];
  return a->type == b->type && a->bytes == b->bytes && (a->type == FLOAT32 || a->type == INT8);
}

static int take(Context *context, Delegate *delegate) {
  Own *own = (Own *)delegate;
  IntArray *plan;
  if (!strcmp(own->fail, "take")) {
    context->ReportError(context, "the device is in use");
    return ERROR;
  }
  if (own->nothing || context->GetExecutionPlan(context, &plan) != OK) return OK;
  IntArray *mine = malloc(sizeof *mine + plan->size * sizeof(int));
  mine->size = 0;
  for (int i = 0; i < plan->size; i++)
    if (claims(context, plan->data[i])) mine->data[mine->size++] = plan->data[i];
  Registration kernel = {.init = init, .free = release, .prepare = prepare, .invoke = invoke,
                         .custom_name = "AddDelegate", .version = 1};
  int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
  free(mine);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  Own *own = calloc(1, sizeof *own);
  own->delegate.Prepare = take;
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "fail")) {
      strncpy(own->fail, values[i], sizeof own->fail - 1);
    } else if (!strcmp(keys[i], "claim") && !strcmp(values[i], "nothing")) {
      own->nothing = true;
    } else if (strcmp(keys[i], "verbose") || strcmp(values[i], "true")) {
      report("unknown option ");
      report(keys[i]);
      free(own);
      return NULL;
    }
  }
  if (!strcmp(own->fail, "create")) {
    free(own);
    return NULL;
  }
  return &own->delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  ((Own *)delegate)->nothing = true; /* NULL crashes here, as it does in delegates of the field */
  free(delegate);
}
