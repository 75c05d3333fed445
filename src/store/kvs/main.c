/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/service.h"

int main(int argc, char **argv)
{
    return service_main(&kvs_service, argc, argv);
}
