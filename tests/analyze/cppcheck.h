/* Macros of libraries whose headers cppcheck does not read, and which it cannot do without. */
#define G_DEFINE_QUARK(NAME, name) GQuark name##_quark(void) { return 0; }
#define G_DEFINE_AUTOPTR_CLEANUP_FUNC(type, function)
#define G_GNUC_PRINTF(format, arguments)
#define G_GNUC_INTERNAL
#define json_array_foreach(array, index, value) \
    for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index)); index++)
#define json_object_foreach(object, key, value) \
    for (key = json_object_iter_key(json_object_iter(object)); \
         key && (value = json_object_get(object, key)); \
         key = json_object_iter_key(json_object_iter_next(object, json_object_iter_at(object, key))))
