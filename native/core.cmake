# The core as a static library, thalweg_core: for the Python module and for the LAMMPS plug-in.
find_package(Threads REQUIRED)

set(THALWEG_NATIVE "${CMAKE_CURRENT_LIST_DIR}")
file(GLOB THALWEG_SOURCES CONFIGURE_DEPENDS "${THALWEG_NATIVE}/src/*.cpp")
add_library(thalweg_core STATIC ${THALWEG_SOURCES})
target_compile_features(thalweg_core PUBLIC cxx_std_20)
target_include_directories(thalweg_core PUBLIC "${THALWEG_NATIVE}/include")
# Under sanitizers (the project's option) optimising the kernel's templates takes many minutes and finds nothing more.
set(THALWEG_OPTIMISATION $<IF:$<BOOL:${THALWEG_SANITIZE}>,-O1,-O3>)
target_compile_options(thalweg_core PRIVATE ${THALWEG_OPTIMISATION} -Wall -Wextra -Wno-psabi -fno-math-errno -ffp-contract=off)
target_link_libraries(thalweg_core PUBLIC Threads::Threads)

# The kernel is compiled once per instruction set and chosen at run time; every other file stays at the baseline.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties("${THALWEG_NATIVE}/src/kernel_avx2.cpp" "${THALWEG_NATIVE}/src/kernel_avx2_single.cpp" PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-ffp-contract=fast")
  set_source_files_properties("${THALWEG_NATIVE}/src/kernel_avx512.cpp" "${THALWEG_NATIVE}/src/kernel_avx512_single.cpp" PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512dq;-mavx512vl;-mavx2;-mfma;-mprefer-vector-width=512;-ffp-contract=fast")
endif()
